"""`import minidl` is light: it loads NumPy and itself. Pictures, the GPU and the network come when asked for."""
import subprocess
import sys

HEAVY = ["matplotlib", "cupy", "torch", "scipy", "sklearn", "tqdm", "urllib.request", "pytest", "hypothesis"]


def loaded_after(program):
    done = subprocess.run([sys.executable, "-c", f"{program}\nimport sys\nprint('|'.join(sys.modules))"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.strip().splitlines()[-1].split("|"))


def test_importing_minidl_loads_nothing_heavy():
    loaded = loaded_after("import minidl")
    assert {"minidl", "numpy"} <= loaded
    assert not loaded.intersection(HEAVY)


def test_a_training_step_loads_nothing_heavy_either():
    loaded = loaded_after(
        "import numpy as np, minidl as md\n"
        "model = md.nn.Sequential(md.nn.Linear(3, 2, rng=0), md.nn.ReLU(), md.nn.Linear(2, 3, rng=0))\n"
        "optimizer = md.optim.Adam(model.named_parameters())\n"
        "md.nn.mse_loss(model(np.ones((4, 3), np.float32)), np.ones((4, 3), np.float32)).backward()\n"
        "optimizer.step(); md.tune(); repr(model)")
    assert not loaded.intersection(HEAVY)


def test_every_public_name_is_there_and_none_is_said_twice():
    import minidl as md

    assert len(set(md.__all__)) == len(md.__all__)
    missing = [name for name in md.__all__ if not hasattr(md, name)]
    assert not missing
