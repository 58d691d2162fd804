"""What README promises in Python runs as it stands there, one block after the other."""
import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def test_every_python_block_runs_after_those_before_it_and_has_the_shapes_that_it_says(tmp_path, monkeypatch):
    """A shape is said by a comment behind an expression: `x.shape  # (5, 10)`."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    said = 0
    for i, block in enumerate(BLOCKS):
        exec(compile(block, f"README.md, Python block {i}", "exec"), names)
        for expression, shape in re.findall(r"^(\S.*?\.shape) +# (\([\d, ]+\))$", block, flags=re.MULTILINE):
            assert eval(expression, names) == eval(shape), expression
            said += 1
    assert len(BLOCKS) >= 6 and said
    assert {"digits.npz", "game.npz", "model.npz"} <= {file.name for file in tmp_path.iterdir()}
