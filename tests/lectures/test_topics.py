"""The lectures on the topics of slide 115, from end to end: their files, and what holds after a short run already."""
import pytest

# Basic neural networks ------------------------------------------------------------------------------------------------


def test_basic_networks(run):
    record = run("basic-networks", "--fast")
    assert record["figures"] == ["neuron.png", "two-moons.gif", "width.png", "training.png", "hardest.png",
                                 "weights.png"]
    metrics = record["metrics"]
    assert metrics["moons_neuron"] < 0.93 < 0.96 < metrics["moons_network"]
    assert metrics["neuron_gradient_error"] < 1e-6 and metrics["neuron_error_after_a_step"] < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_a_perceptron_reads_the_digits_and_a_wide_network_overfits(run, seed):
    metrics = run("basic-networks", "--seed", str(seed))["metrics"]
    assert metrics["test_accuracy"] >= 0.965 and metrics["wide_overfits"] >= 1.3


# Convolutional networks -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_convolutional_networks(run):
    record = run("convolutional-networks", "--fast")
    assert record["figures"] == ["sliding-window.gif", "filters-by-hand.png", "learning.gif", "feature-maps.png",
                                 "filters-learned.png", "moved.png"]
    metrics = record["metrics"]
    assert metrics["equivariance_convolution"] < 1e-5 and metrics["equivariance_pooling"] < 1e-5
    assert metrics["sees"] == 3 + 1 + 2 * 2 + 2                # each layer adds what its window reaches, in its steps
    assert "167,040" in record["tables"][0]                    # (144 + 1) * 1152: a dense layer from image to maps


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_a_convolutional_network_bears_moved_digits_better_than_a_perceptron(run, seed):
    metrics = run("convolutional-networks", "--seed", str(seed))["metrics"]
    assert metrics["perceptron_moved_1"] + 0.05 < metrics["accuracy_moved_1"] and metrics["accuracy"] >= 0.96


@pytest.mark.slow
def test_convolutional_networks_start_on_mnist(run):
    assert run("convolutional-networks", "--data", "mnist", "--fast")["metrics"]["sees"] == 5 + 1 + 4 * 2 + 2


# Recurrent networks ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_recurrent_networks(run):
    record = run("recurrent-networks", "--fast")
    assert record["figures"] == ["gradient.png", "recall.png", "training.png", "writing.png", "temperatures.png",
                                 "expectations.gif", "speech.png"]
    metrics = record["metrics"]
    assert metrics["gradient_50_rnn"] < 1e-6 and metrics["gradient_50_lstm_open"] > 0.01
    assert metrics["recall_6_lstm_open"] > 0.5 and metrics["bits_lstm"] < 4.5
    assert record["data"] == "alice" and "Carroll" in record["credit"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_an_lstm_remembers_longer_and_foresees_a_book_better_than_counting(run, seed):
    metrics = run("recurrent-networks", "--seed", str(seed))["metrics"]
    assert metrics["recall_40_rnn"] < 0.5 and metrics["recall_40_lstm_open"] > 0.9
    assert metrics["bits_lstm"] < metrics["bits_best_ngram"] < metrics["bits_trigram"] < metrics["bits_bigram"]


# Training tricks ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_training_tricks(run):
    record = run("training-tricks", "--fast")
    assert record["figures"] == ["valley.gif", "learning-rates.png", "optimisers.png", "signal.png", "deep.png",
                                 "rescue.png", "regularisers.png"]
    metrics, bounds = record["metrics"], record["bounds"]
    assert metrics["valley_sgd"] == pytest.approx(0.190, abs=0.002)
    factor = 2**-10                                            # each of ten layers has half of He's initial weights
    assert metrics["signal_small"] == pytest.approx(metrics["signal_he"] * factor, rel=0.01)
    assert bounds["signal_small_normalised"] == {"at_most": 0.8, "at_least": 0.4}
    for trick in ("none", "dropout", "DropConnect", "mixup", "early stopping", "averaged weights"):
        assert f"\n{trick} " in record["tables"][2]


@pytest.mark.slow
def test_tricks_help_where_the_lecture_says_so(run):
    metrics = run("training-tricks", "--seed", "1")["metrics"]
    assert metrics["dropout_gain_wrong_labels"] >= 4 and metrics["rescue_warmup_clipping"] <= 0.2
    assert metrics["momentum_of_sgd"] <= 0.7 and metrics["deep_normalised"] <= 0.7 and metrics["deep_small"] > 2.25
