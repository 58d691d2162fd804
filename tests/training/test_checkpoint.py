"""Checkpoint files: whole or refused, and what refuses them changes nothing."""
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl import nn, optim, training
from minidl.data import Loader
from minidl.errors import InputError
from minidl.training import load_model, read_checkpoint
from tests.training.job import BATCH, Job, X, result, whole

# Checkpoint files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failed_save_leaves_the_last_checkpoint_and_no_half_file(call, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    Job()(epochs=1, checkpoint=path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(InputError, match=r"cannot write .*run\.npz: No space left on device"):
        Job()(epochs=2, checkpoint=path)
    monkeypatch.undo()
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.npz"]
    assert Job()(epochs=2, checkpoint=path).loss == Job()(epochs=2).loss


@pytest.mark.parametrize("other, words", [
    (lambda: nn.Sequential(nn.Linear(5, 4, rng=0)), "model than Sequential: missing nothing, unexpected 3.bias"),
    (lambda: nn.Sequential(nn.Linear(5, 3, rng=0), nn.Tanh(), nn.Dropout(rng=0), nn.Linear(3, 5, rng=0)),
     r"0.weight has shape \(5, 4\) there and \(5, 3\) here"),
    (lambda: nn.Sequential(nn.Linear(5, 4, rng=0), nn.Tanh(), nn.ReLU(), nn.Linear(4, 5, rng=0)),
     "1 random streams, this run has 0"),
])
def test_a_checkpoint_of_another_model_is_refused_with_the_files_name(other, words, tmp_path):
    path = tmp_path / "run.npz"
    Job()(epochs=1, checkpoint=path)
    before, job = path.read_bytes(), Job()
    job.model = other()
    job.optimizer = optim.Adam(job.model.named_parameters())
    job.schedule = optim.CosineAnnealingLR(job.optimizer, 20)
    with pytest.raises(InputError, match=rf"checkpoint .*run\.npz: its .* does not fit: .*{words}.*; choose "):
        job(checkpoint=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("change, words", [
    (lambda job: job.use(optim.SGD(job.model.named_parameters())), "its optimizer does not fit: .*state of SGD"),
    (lambda job: setattr(job, "schedule", optim.ReduceLROnPlateau(job.optimizer)), "its schedule does not fit"),
    (lambda job: setattr(job, "schedule", None), "holds schedule, which this run does not have"),
    (lambda job: setattr(job, "loader", Loader(X, batch_size=5, rng=np.random.default_rng(0))),
     "22 items in batches of 5, the saved one had 22 in batches of 6"),
    (lambda job: setattr(job, "loader", Loader(X, batch_size=BATCH, rng=np.random.Generator(np.random.MT19937(0)))),
     "draws from MT19937, and the state is of PCG64"),
])
def test_a_checkpoint_of_another_run_is_refused_with_the_files_name(change, words, tmp_path):
    path = tmp_path / "run.npz"
    Job()(epochs=1, checkpoint=path)
    job = Job()
    change(job)
    with pytest.raises(InputError, match=rf"checkpoint .*run\.npz.*{words}"):
        job(checkpoint=path)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "run.npz"
    Job()(epochs=1, checkpoint=path)
    return path.read_bytes()


def refused(content, folder):
    path = folder / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.npz is no minidl checkpoint, or it is damaged"):
        read_checkpoint(path)


@settings(max_examples=150)
@given(data=st.data())
def test_a_checkpoint_with_a_damaged_byte_is_refused_or_loads_as_it_was(data, checkpoint, tmp_path_factory):
    """A few bytes of the zip format mean nothing, such as an entry's date."""
    i = data.draw(st.integers(0, len(checkpoint) - 1), label="position")
    value = data.draw(st.integers(0, 255).filter(lambda v: v != checkpoint[i]), label="value")
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(checkpoint)
    sound = whole(path)
    path.write_bytes(checkpoint[:i] + bytes([value]) + checkpoint[i + 1:])
    try:
        assert whole(path) == sound
    except InputError as error:
        assert "damaged.npz is no minidl checkpoint, or it is damaged" in str(error)


@settings(max_examples=40)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_checkpoint_is_refused(share, checkpoint, tmp_path_factory):
    refused(checkpoint[:int(share * len(checkpoint))], tmp_path_factory.getbasetemp())


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("content", [
    b"", b"not a checkpoint", b"PK\x03\x04", _npz(x=np.zeros(3)), _npz(meta=np.array("no json")),
    _npz(meta=np.array({"a": 1}, dtype=object)), _npy(np.zeros(3)),
], ids=["empty", "text", "zip's first bytes", "other arrays", "no json", "pickle", "a single array"])
def test_a_foreign_file_is_refused(content, tmp_path):
    refused(content, tmp_path)


@pytest.mark.parametrize("meta", [{}, [], 3, {"loader": None, "streams": []}], ids=str)
def test_a_checkpoint_with_foreign_notes_is_refused(meta, checkpoint, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(checkpoint)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "meta"}
    np.savez(path, meta=np.array(json.dumps(meta)), **arrays)
    with pytest.raises(InputError, match=r"run\.npz (is|holds|does)"):
        Job()(checkpoint=path)


def test_a_folder_or_a_missing_file_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="is a folder; a checkpoint is a file, such as .*run.npz"):
        Job()(checkpoint=tmp_path)
    with pytest.raises(InputError, match="there is no checkpoint .*none.npz"):
        read_checkpoint(tmp_path / "none.npz")


def test_a_model_is_loaded_from_a_checkpoint_alone(tmp_path):
    job, fresh = Job(patience=None), Job().model
    job(epochs=2, checkpoint=tmp_path / "run.npz")
    assert load_model(tmp_path / "run.npz", fresh) is fresh
    assert all(np.array_equal(a, b) for a, b in zip(job.model.state_dict().values(), fresh.state_dict().values(),
                                                    strict=True))
    with pytest.raises(InputError, match=r"checkpoint .*run\.npz: this state is of another model than Linear"):
        load_model(tmp_path / "run.npz", nn.Linear(5, 4, rng=0))


def test_the_checkpoints_folder_is_made_and_text_or_path_will_do(tmp_path):
    Job()(epochs=1, checkpoint=str(tmp_path / "new" / "folder" / "run"))
    assert os.listdir(tmp_path / "new" / "folder") == ["run"]
    assert Path(tmp_path / "new" / "folder" / "run").stat().st_size > 1000


@pytest.mark.parametrize("change, words", [
    (lambda job: setattr(job, "noise", None), "holds gradients.0, which this run does not have"),
])
def test_a_checkpoint_of_other_tricks_is_refused(change, words, tmp_path):
    path = tmp_path / "run.npz"
    Job(tricks=True)(epochs=1, checkpoint=path)
    job = Job(tricks=True)
    change(job)
    with pytest.raises(InputError, match=rf"checkpoint .*run\.npz.* {words}"):
        job(checkpoint=path)


def test_a_checkpoint_without_an_average_is_refused_if_one_is_asked_for(tmp_path):
    Job()(epochs=1, checkpoint=tmp_path / "run.npz")
    job = Job()
    with pytest.raises(InputError, match=r"checkpoint .*run\.npz holds no ema, which this run has"):
        job(checkpoint=tmp_path / "run.npz", average=optim.EMA(job.model))


def test_a_model_loaded_after_early_stopping_has_the_best_parameters(tmp_path):
    job = Job()
    job(epochs=10, checkpoint=tmp_path / "run.npz")
    fresh = load_model(tmp_path / "run.npz", Job().model)
    for name, value in job.model.state_dict().items():
        np.testing.assert_array_equal(fresh.state_dict()[name], value)


@pytest.mark.parametrize("change", [
    lambda job: job.use(optim.SGD(job.model.named_parameters())),
    lambda job: setattr(job, "average", optim.EMA(job.model)),
    lambda job: setattr(job, "noise", optim.GradientNoise(rng=0)),
    lambda job: setattr(job, "schedule", optim.ReduceLROnPlateau(job.optimizer)),
    lambda job: setattr(job, "loader", Loader(X, batch_size=5, rng=np.random.default_rng(0))),
], ids=["another optimiser", "an average", "noise", "another schedule", "another batch size"])
def test_a_refused_checkpoint_changes_nothing(change, tmp_path):
    Job()(epochs=1, checkpoint=tmp_path / "run.npz")
    job = Job()
    for p in job.model.parameters():
        p.data += 1.0
    job.loader.rng.random(3)
    change(job)
    state = lambda: (result(job), job.loader.rng.bit_generator.state, job.schedule.state_dict(), job.optimizer.lr)
    before = state()
    with pytest.raises(InputError, match=r"checkpoint .*run\.npz"):
        job(checkpoint=tmp_path / "run.npz")
    assert state() == before


def test_named_parts_are_saved_and_loaded_by_hand_for_a_loop_of_ones_own(tmp_path):
    def job():
        rng = np.random.default_rng(3)
        model = nn.Sequential(nn.Linear(5, 4, rng=1), nn.Dropout(0.3, rng=rng), nn.Linear(4, 5, rng=2))
        return {"model": model, "adam": optim.Adam(model.named_parameters()), "rng": rng,
                "loader": Loader(X, batch_size=BATCH, rng=rng)}

    def epoch(parts):
        for x in parts["loader"]:
            parts["adam"].zero_grad()
            nn.mse_loss(parts["model"](x), x).backward()
            parts["adam"].step()
        return [a.tobytes() for a in parts["model"].state_dict().values()], parts["rng"].bit_generator.state

    first, second = job(), job()
    epoch(first)
    assert training.save(tmp_path / "run.npz", first) == tmp_path / "run.npz"
    training.load(tmp_path / "run.npz", second)
    assert epoch(second) == epoch(first)
    with pytest.raises(InputError, match=r"run.npz holds no critic, which this run has and holds rng, which this run "
                                         "does not have; choose another file"):
        training.load(tmp_path / "run.npz", {**{k: second[k] for k in ("model", "adam", "loader")},
                                             "critic": nn.Linear(1, 1, rng=0)})


@pytest.mark.parametrize("state, sentence", [
    ({"list": [1, {"set": {1, 2}}]}, "the state of part/list/1/set is a set: what is saved are arrays, numbers"),
    ({"counts": {3: 1}}, "the state of part/counts has the key 3; keys are strings"),
    ({"a": {"b": X}, "a/b": X + 1.0}, "two arrays of the parts' states are named part/a/b"),
    (None, r"the state_dict\(\) of the part 'part' returned NoneType, not a dict")],
    ids=["a set", "a number as key", "two of a name", "nothing"])
def test_a_state_that_could_not_be_read_again_is_refused_with_its_place(state, sentence, tmp_path):
    class Part:
        def state_dict(self):
            return state

        def load_state_dict(self, state):
            pass

    with pytest.raises(InputError, match=sentence):
        training.save(tmp_path / "run.npz", {"part": Part()})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("state", [None, "run.npz", [1]], ids=repr)
@pytest.mark.parametrize("part", ["model", "optimizer", "schedule", "average", "loader"])
def test_what_is_no_state_at_all_is_refused_in_a_sentence(part, state):
    with pytest.raises(InputError, match=r"load_state_dict takes what state_dict\(\) gave, or np.load"):
        getattr(Job(tricks=True), part).load_state_dict(state)


@pytest.mark.parametrize("arguments, sentence", [
    ((nn.ReLU(), "run.npz"), "a checkpoint's path is a string or a Path, such as 'run.npz', not ReLU"),
    (("run.npz", nn.Linear), "takes a Module, not the class Linear"),
    (("run.npz", np.random.default_rng(0)), "takes a Module, not Generator; training.load takes other parts")],
    ids=["swapped", "a class", "another part"])
def test_load_model_says_what_it_takes(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training.save("run.npz", {"model": nn.ReLU()})
    with pytest.raises(InputError, match=sentence):
        load_model(*arguments)


def test_a_model_is_loaded_from_a_file_of_weights_alone(tmp_path):
    model, fresh = Job().model, Job().model
    model[0].weight.data += 1.0
    np.savez(tmp_path / "weights.npz", **model.state_dict())
    load_model(tmp_path / "weights.npz", fresh)
    assert np.array_equal(fresh[0].weight.data, model[0].weight.data)
    before = (tmp_path / "weights.npz").read_bytes()
    with pytest.raises(InputError, match="it has arrays, but no run; if they are weights alone, training.load_model"):
        Job()(checkpoint=tmp_path / "weights.npz")
    assert (tmp_path / "weights.npz").read_bytes() == before


@pytest.mark.parametrize("content", [b"random bytes, a text", _npz(meta=np.array({"a": 1}, dtype=object)),
                                     _npz(**{"0.weight": np.array({"a": 1}, dtype=object)})],
                         ids=["text", "pickled meta", "pickled weights"])
def test_no_message_advises_to_allow_pickles_and_loading_a_model_never_to_delete_a_file(content, tmp_path):
    (tmp_path / "model.npz").write_bytes(content)
    for read in (read_checkpoint, lambda path: load_model(path, Job().model), lambda path: Job()(checkpoint=path)):
        with pytest.raises(InputError) as caught:
            read(tmp_path / "model.npz")
        assert "allow" not in str(caught.value) and "unsafe" not in str(caught.value)
    with pytest.raises(InputError) as caught:
        load_model(tmp_path / "model.npz", Job().model)
    assert "delete" not in str(caught.value)


def test_one_of_several_models_is_loaded_by_its_name(tmp_path):
    generator, critic = nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=0)
    training.save(tmp_path / "gan.npz", {"generator": generator, "critic": critic})
    fresh = load_model(tmp_path / "gan.npz", nn.Linear(2, 3, rng=1), "generator")
    assert np.array_equal(fresh.weight.data, generator.weight.data)
    with pytest.raises(InputError, match=r"checkpoint .*gan.npz holds no 'model'; load_model\(path, model, part\)"):
        load_model(tmp_path / "gan.npz", fresh)


def test_a_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    Job()(epochs=1, checkpoint="~/run.npz")
    assert os.listdir(tmp_path) == ["run.npz"] and load_model("~/run.npz", Job().model)


def test_half_files_that_a_killed_process_left_are_gone_after_the_next_run(tmp_path, monkeypatch):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: killed.pid)
        patched.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
        patched.setattr(Path, "unlink", lambda *args, **kwargs: None)
        with pytest.raises(KeyboardInterrupt):
            Job()(epochs=1, checkpoint=tmp_path / "run.npz")
    assert len(os.listdir(tmp_path)) == 1
    Job()(epochs=1, checkpoint=tmp_path / "run.npz")
    assert os.listdir(tmp_path) == ["run.npz"]
