"""The peers take seconds to be imported: where no parity is asked for, the files that import them are not read."""


def pytest_ignore_collect(collection_path, config):
    return True if "not parity" in config.option.markexpr and collection_path.name.startswith("test_") else None
