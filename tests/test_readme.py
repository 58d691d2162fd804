"""What README promises in Python runs as it stands there, one block after the other."""
import re
from pathlib import Path

from PIL import Image

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def bring_own_data(folder):
    """What the README's reader has lying there: images in folders, and a table."""
    for i in range(10):
        path = folder / "pets" / ("cat" if i < 5 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + i, 50), (20 * i, 0, 0)).save(path)
    rows = [f"{i},{9 + i / 2},{3 + i % 5}" for i in range(10)]
    (folder / "wine.csv").write_text("\n".join(["id,alcohol,quality", *rows]))


def test_every_python_block_runs_after_those_before_it_and_has_the_shapes_that_it_says(tmp_path, monkeypatch):
    """A shape is said by a comment behind an expression: `x.shape  # (5, 10)`."""
    monkeypatch.chdir(tmp_path)
    bring_own_data(tmp_path)
    names: dict[str, object] = {}
    said = 0
    for i, block in enumerate(BLOCKS):
        exec(compile(block, f"README.md, Python block {i}", "exec"), names)
        for expression, shape in re.findall(r"^(\S.*?\.shape) +# (\([\d, ]+\))$", block, flags=re.MULTILINE):
            assert eval(expression, names) == eval(shape), expression
            said += 1
    assert len(BLOCKS) >= 6 and said
    assert {"digits.npz", "game.npz", "model.npz"} <= {file.name for file in tmp_path.iterdir()}
