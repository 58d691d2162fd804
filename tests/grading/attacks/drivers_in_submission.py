# Tries: to bring tests, drivers and a manifest of its own.
# Statuses: failed
FILES = {
    "drivers.py": "def centre_each(module, arrays):\n    return 'passed'\n",
    "tests/drivers.py": "def centre_each(module, arrays):\n    return 'passed'\n",
    "tests/test_attacked.py": "def test_centre():\n    pass\n\n\ndef test_more():\n    pass\n",
    "manifest.toml": "name = 'attacked'\n[[task]]\nid = '1'\ntest = [{ name = 'test_more', points = 100 }]\n",
}


def centre(x):
    return x


def test_centre():
    pass
