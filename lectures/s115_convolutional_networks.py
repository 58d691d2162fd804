# %% [markdown]
# # Slide 115: convolutional networks
#
# To a dense layer an image is a row of numbers in no order: it would learn just as well if all pixels were shuffled. A
# convolutional layer knows two things about images. What belongs together is near: a stroke, an edge, a corner can be
# seen through a small window. And it is the same everywhere: a stroke at the left is a stroke at the right. This
# lecture looks at one filter, counts what that saves, trains a network, looks into it, and moves the images.

# %%
import numpy as np

import minidl as md
from minidl import data, nn, optim, plotting
from minidl.data import augmentation
from minidl.lectures import lecture
from minidl.lectures.pictures import convolutional_networks as pictures

talk = lecture("convolutional-networks", data=["digits", "mnist", "fashion-mnist"])

# %% [markdown]
# ## What a convolution computes
#
# A filter is a small matrix of weights. Put it on the image, multiply each weight by the pixel below it, add up: that
# is one number of the result. Move it one pixel, and do it again.

# %%
numbers = data.load("digits").x_test[40] * 16                                          # (8, 8, 1), whole numbers
edges = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
result = md.conv2d(md.Tensor(numbers[None]), edges[:, :, None, None]).numpy()[0]       # (6, 6, 1)
places = list(np.ndindex(result.shape[:2]))
talk.save([pictures.sliding_window(numbers[..., 0], edges, result[..., 0], place, title="One filter, everywhere")
           for place in talk.each(talk.short(places, places[::18]), "the film of a filter")], "sliding-window")

# %% [markdown]
# ## One picture, three filters
#
# All weights alike: the result is a blurred picture. Minus on one side, plus on the other: it shows where the picture
# becomes brighter (red) or darker (blue) from left to right, or from top to bottom, and that is how an edge is found.
# Three filters are one layer with three output channels.

# %%
picture = data.embedded.nature()["raccoon"][10:165, 125:315] / np.float32(255)
upright = np.tile(np.array([-1, -1, 0, 1, 1], np.float32), (5, 1))
filters = {"blur": np.ones((5, 5), np.float32), "upright edges": upright, "level edges": upright.T}
W = np.stack(list(filters.values()), axis=-1)[:, :, None]                              # (5, 5, 1, 3)
talk.save(pictures.filtered(picture, filters, md.conv2d(md.Tensor(picture[None, :, :, None]), W).numpy()[0],
                            title="One picture, three filters"), "filters-by-hand")

# %% [markdown]
# ## A small network
#
# These filters were thought out. A network finds its own: their weights are parameters like any others. Convolution and
# ReLU say where something is. Max pooling halves the resolution and keeps the strongest of each four, so that the next
# convolution sees twice as far. Dense layers at the end judge what was found where.
#
# The small digits fill their 8x8 pixels; they are put on sheets of 12x12, where there is room to move them.

# %%
images, seen = talk.load(flat=False, margin=2 if talk.data == "digits" else 0), slice(talk.short(None, 4000))
x_train, y_train = images.x_train[seen], np.asarray(images.y_train)[seen]
x_test, y_test = images.x_test[seen], np.asarray(images.y_test)[seen]
size, rng = x_test.shape[1], talk.rng
if talk.data == "digits":
    kernel, padding, channels, left, units, dropout = 3, 1, 16, 3, 32, 0.2             # 3x3 places are left of 12x12
    epochs, batch_size, lr = talk.epochs(40, fast=2), 32, 5e-3
else:
    kernel, padding, channels, left, units, dropout = 5, 0, 32, 4, 64, 0.3
    epochs, batch_size, lr = talk.epochs(8), 128, 2e-3
model = nn.Sequential(
    nn.Conv2d(1, 8, kernel, padding=padding, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, channels, kernel, padding=padding, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(left * left * channels, units, rng=rng), nn.ReLU(),
    nn.Dropout(dropout, rng=rng), nn.Linear(units, 10, rng=rng))
model.to(talk.device)
print(model)

# %% [markdown]
# ## Few weights, used often
#
# A hook is called with what a layer has made, whenever it has made something. So `talk.look` can look at what lies
# between.

# %%
parameters = lambda module: sum(p.size for p in module.parameters())                   # how many numbers are learned
shapes = [x_test.shape[1:], *(y.shape[1:] for y in talk.look(model, x_test[:1]))]     # layer i goes from i to i + 1
talk.table(["layer", "from", "to", "its parameters", "those of a dense layer"], [
    [name, *("x".join(map(str, shape)) for shape in shapes[i:i + 2]), f"{parameters(model[i]):,}",
     f"{(np.prod(shapes[i]) + 1) * np.prod(shapes[i + 1]):,}"]
    for name, i in (("convolution 1", 0), ("convolution 2", 3))])

# %% [markdown]
# ## How far does it see?
#
# A number of the first feature map depends on a window of the filter's size; after every layer the window is wider.
# How wide? Ask the gradient: it is zero for all other pixels, whatever the image.

# %%
def sees(layers):
    """How many pixels high the part of the image is on which a number in the middle of the layers' result depends."""
    x = md.Tensor(talk.device.put(talk.rng.random((64, size, size, 1), dtype=np.float32)), requires_grad=True)
    y = layers(x)
    middle = y.shape[1] // 2
    gradient, = md.grad(md.sum(y[:, middle, middle]), [x])
    return int((gradient.numpy() != 0).any(axis=(0, 2, 3)).sum())


stages = {1: "convolution 1", 2: "pooling 1", 4: "convolution 2", 5: "pooling 2"}
fields = {i: sees(model[:i + 1]) for i in stages}
reach = 10 if talk.data == "digits" else 16
talk.metric("sees", fields[5], at_least=reach, at_most=reach, always=True)

# %% [markdown]
# ## It learns
#
# The film shows one test image on its way through the network, before training and after some of the epochs: the
# feature maps of each stage (16 at most), the brighter the larger, and the probability of each class.

# %%
example = x_test[images.one_of_each()[3:4]]
accuracy = lambda model, x: talk.right(model, x, y_test) / len(x)


def train(model, about, lr, validate=None, look=None):
    return talk.train(model, x_train, y_train, epochs=epochs, batch_size=batch_size, validate=validate, about=about,
                      optimizer=optim.Adam(model.parameters(), lr=lr),
                      loss=lambda model, x, labels: nn.cross_entropy(model(x), labels), look=look)


def on_its_way(model, title=""):
    """A picture of the example on its way through the network."""
    maps = talk.look(model, example)
    return pictures.feature_maps(
        example[0, :, :, 0], [plotting.Maps(name, maps[i][0, ..., :16], f"sees {fields[i]}x{fields[i]}")
                              for i, name in stages.items()],
        md.softmax(maps[-1][0]), names=images.classes, title=title)


def watch(model):
    """Keep a picture of the example after some epochs; returns the share of wrong test images."""
    epoch = len(right)
    right.append(accuracy(model, x_test))
    if epoch in (0, 1, 2, 3, 5, 10, 20, epochs):
        film.append(on_its_way(
            model, f"{epoch} epoch{'s' * (epoch != 1)}: {right[-1]:.1%} of the test images right"))
    return 1.0 - right[-1]


right: list[float] = []
film: list = []
watch(model.eval())
history = train(model, "the convolutional network, 1 of 2", lr, watch, look=on_its_way)
talk.save(film, "learning")
talk.save(film[-1], "feature-maps")

# %% [markdown]
# ## What the first layer has found
#
# Its filters, learned this time, and what each makes of the image.

# %%
filters = {str(i + 1): f for i, f in enumerate(talk.on_host(model[0].weight.data)[:, :, 0].transpose(2, 0, 1))}
talk.save(pictures.filtered(example[0, :, :, 0], filters, talk.look(model, example)[0][0],
                            title="The filters of the first layer, and what they find"), "filters-learned")

# %% [markdown]
# ## If the image moves
#
# its feature maps move with it: a convolution is *equivariant* to shifts, by construction. Pooling keeps one place of
# each two, so behind it this holds for shifts by 2 pixels, behind the second pooling by 4. The table compares the maps
# of moved images with the moved maps of images: their largest difference, as a share of the largest number.

# %%
def difference(i, pixels, by):
    """Layer i's maps of images moved to the right against its maps moved `by` so many places, without the rim."""
    there = talk.look(model, augmentation.shift_by(x_test[:100], 0, pixels))[i][:, 1:-1, 1 + by:-1]
    here = talk.look(model, x_test[:100])[i][:, 1:-1, 1:-1 - by]
    return float(np.abs(there - here).max() / np.abs(here).max())


stride = {1: 1, 2: 2, 4: 2}
rows = [[stages[i], difference(i, 1, 1 // s), difference(i, 2, 2 // s)] for i, s in stride.items()]
talk.table(["layer", "moved by 1 pixel", "moved by 2 pixels"], rows)
talk.metric("equivariance_convolution", rows[0][1], at_most=1e-5, always=True)
talk.metric("equivariance_pooling", rows[1][2], at_most=1e-5, always=True)

# %% [markdown]
# ## And the answer?
#
# The dense layers at the end are not equivariant: they have learned what is where. So a moved image is harder. It is
# harder still for a multilayer perceptron with as many parameters, to which a moved image is another image altogether.
# Neither has seen a moved image in training. (Two pixels are a quarter of a small digit: that is too much for both.)

# %%
width = round((parameters(model) - 10) / (size * size + 11))
mlp = nn.Sequential(nn.Flatten(), *nn.mlp([size * size, width, 10], activation=nn.ReLU, rng=talk.rng))
train(mlp, "the perceptron, 2 of 2", 5e-3)
moves = [[(0, 0)], [(0, 1), (1, 0), (0, -1), (-1, 0)], [(0, 2), (2, 0), (0, -2), (-2, 0)]]
cnn_right, mlp_right = ([float(np.mean([accuracy(network, augmentation.shift_by(x_test, *move)) for move in by]))
                         for by in moves] for network in (model, mlp))
talk.save(plotting.curves({"convolutional\nnetwork": ([0, 1, 2], 100 - 100 * np.array(cnn_right)),
                           "multilayer\nperceptron": ([0, 1, 2], 100 - 100 * np.array(mlp_right))},
                          x="moved by so many pixels", y="test images wrong (%)",
                          title=f"Two networks of {parameters(model):,} parameters"), "moved")
in_place, moved = ([100 * right[i] for right in (cnn_right, mlp_right)] for i in (0, 1))
talk.say(f"In their places the convolutional network reads {in_place[0]:.1f} % of the test images right, a "
         f"perceptron of about as many parameters {in_place[1]:.1f} %. Moved by one pixel, it is {moved[0]:.1f} % "
         f"and {moved[1]:.1f} %.")
talk.table(["network", "parameters", "right", "moved by 1", "moved by 2"], [
    ["convolutional", f"{parameters(model):,}", *cnn_right],
    ["multilayer perceptron", f"{parameters(mlp):,}", *mlp_right]])

# %% [markdown]
# ## What must come out
#
# On MNIST at least 98.9 % of the test images right; everywhere more of the moved images than by the perceptron.

# %%
at_least = talk.short({"digits": 0.96, "mnist": 0.989, "fashion-mnist": 0.88}[talk.data], 0.5)
talk.metric("accuracy", cnn_right[0], at_least=at_least, always=True)
talk.metrics(accuracy_moved_1=cnn_right[1], accuracy_moved_2=cnn_right[2], perceptron_accuracy=mlp_right[0],
             perceptron_moved_1=mlp_right[1], training_seconds=sum(history.seconds))
talk.metric("perceptron_moved_2", mlp_right[2], at_most=cnn_right[2] - talk.short(0.05, 0.0), always=True)
talk.finish()
