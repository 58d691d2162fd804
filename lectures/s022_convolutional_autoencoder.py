# %% [markdown]
# # Slide 22: convolutional autoencoders
#
# The autoencoders so far took an image for a row of numbers in no order. A convolutional one knows that near pixels
# belong together and that a stroke at the left is a stroke at the right: its encoder is a convolutional network, stages
# that halve the image and see more channels, and its decoder is the mirror image, stages that double it.
#
# How does one double an image? That is where this lecture ends up: three ways, and what each leaves on the picture.

# %%
import numpy as np

import minidl as md
from minidl import data, nn, optim, plotting
from minidl.autoencoders import ConvolutionalAutoencoder, DeepAutoencoder
from minidl.data import augmentation
from minidl.lectures import lecture
from minidl.lectures.pictures import convolutional_autoencoder as pictures
from minidl.metrics import squared_error
from minidl.metrics.checkerboards import checkerboard, pixel_energies, power_spectrum, unevenness
from minidl.tuning import one_core

talk = lecture(22, data=["digits", "mnist", "fashion-mnist"])
small, seen = talk.data == "digits", slice(talk.short(None, 1000))
images = talk.load(flat=False, margin=2 if small else 0)      # the small digits fill 8x8 pixels: here they have room
x_train, x_test = images.x_train[seen], images.x_test[seen]
size = x_test.shape[1]
# %% [markdown]
# ## Two autoencoders with a code of equal size
#
# Strides of 2 halve the image on the way down, and a transposed convolution with stride 2 doubles it on the way up:
# every number of the small map puts a kernel, so many times as large, onto the large one. Beside it stands a dense
# autoencoder. Both have the same loss, optimiser and number of epochs.

# %%
code = 10 if small else 30
dense = DeepAutoencoder([144, 128, 64, code] if small else [784, 512, 128, code], output="logits", rng=talk.rng)
conv = ConvolutionalAutoencoder(x_test.shape[1:], (16, 32), hidden=(64,) if small else (), code=code, output="logits",
                                rng=talk.rng)
models = {"dense": dense, "convolutional": conv}
epochs, batch_size = talk.epochs(30 if small else 6), 64 if small else 128
adam = lambda model, lr=4e-3: optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99))
print(conv)


def as_taken(model, x):
    """Images (N, H, W, C) as the model takes them: a dense layer takes rows."""
    return x if len(model.input_shape) == 3 else x.reshape(len(x), -1)


def reconstructed(model, x):
    """The model's reconstruction of the images x (N, H, W, C) on the host."""
    with one_core():
        return talk.on_host(model.reconstruct(talk.device.put(as_taken(model, x)))).reshape(x.shape)


seconds = {name: sum(talk.train(model, as_taken(model, x_train), epochs=epochs, batch_size=batch_size,
                                optimizer=adam(model), name=name, about=talk.of(name, models)).seconds)
           for name, model in models.items()}

# %% [markdown]
# A convolutional layer has few weights and uses each of them at every place: for what it learns, it computes much. The
# table says what that costs in time.

# %%
found = {name: reconstructed(model, x_test) for name, model in models.items()}
errors = {name: squared_error(y, x_test) for name, y in found.items()}
parameters = {name: sum(p.size for p in model.parameters()) for name, model in models.items()}
ms_a_step = {name: 1000 * s / (epochs * -(-len(x_train) // batch_size)) for name, s in seconds.items()}
talk.table(["autoencoder", "parameters", "ms a step", "squared error per test image", "of dense"], [
    [name, f"{parameters[name]:,}", f"{ms_a_step[name]:.1f}", errors[name], errors[name] / errors["dense"]]
    for name in models])
chosen = images.one_of_each()
talk.rows("reconstructions", f"Compressing images to {code} real numbers", {
    "real data": (x_test[chosen], "squared\nerror"),
    **{name: (found[name][chosen], f"{errors[name]:.2f}") for name in models}})
talk.say(f"From {code} numbers the convolutional autoencoder leaves a squared error of "
         f"{errors['convolutional']:.2f}, the dense one {errors['dense']:.2f}; it has "
         f"{parameters['convolutional']:,} parameters, the dense one {parameters['dense']:,}.")

# %% [markdown]
# ## If the image moves by a pixel
#
# To a dense layer a moved image is another image altogether. The feature maps of a convolution move along, and are made
# of the same strokes as before; but the layers next to the code are dense here too, and have learned what is where. So
# neither network, trained on images in their places, is good at moved ones. One is much worse.
# %%
moves = [[(0, 0)], [(0, 1), (1, 0), (0, -1), (-1, 0)], [(0, 2), (2, 0), (0, -2), (-2, 0)]]
by_pixels = {name: [float(np.mean([squared_error(reconstructed(model, x), x)
                                   for x in (augmentation.shift_by(x_test[:1000], *m) for m in by)]))
                    for by in moves] for name, model in models.items()}
talk.table(["squared error per image", "in place", "moved by 1 pixel", "by 2", "all black"], [
    [name, *values, squared_error(np.zeros_like(x_test), x_test)] for name, values in by_pixels.items()])
away = augmentation.shift_by(x_test[chosen], 0, 2)
talk.rows("moved-images", "Two pixels to the right", {"moved by 2": away, **{
    name: (reconstructed(model, away), f"{by_pixels[name][2]:.1f}") for name, model in models.items()}})
talk.say("Neither knows moved images: moved by two pixels, they come back with an error of "
         f"{by_pixels['convolutional'][2]:.1f} from the convolutional network, {by_pixels['dense'][2]:.1f} from the "
         "dense one.")

# %% [markdown]
# ## A walk through the code
#
# The film goes in a straight line from one image's code to another's, and shows each code on its way through the
# decoder: as numbers, as many small maps, as fewer larger ones, as an image. The picture before it shows the way down,
# the one after it the same walk in both networks, and what mixing the pixels would give.

# %%
def between(a, b, n):
    """n points on the straight line from a to b."""
    t = np.linspace(0, 1, n, dtype=np.float32).reshape(-1, *[1] * a.ndim)
    return (1 - t) * a + t * b


def walk(model, a, b, n):
    """Codes from that of the image a to that of b, and what they are decoded to."""
    first, last = talk.on_host(model.encode(talk.device.put(as_taken(model, np.stack([a, b])))))
    path = between(first, last, n)
    return path, talk.on_host(model.decode(talk.device.put(path))).reshape(n, size, size)


start, end = x_test[chosen[[3, 8]]]
path, decoded = walk(conv, start, end, talk.short(24, 2))
way_up, way_down = talk.look(conv.decoder, path), talk.look(conv.encoder, x_test[chosen[3:4]])
talk.save(pictures.to_code(x_test[chosen[3], ..., 0], way_down), "feature-maps")
talk.save(pictures.from_codes(path, way_up, decoded), "walk")
talk.rows("walks", "From one image to another", {
    "mixed pixels": between(start, end, 9), **{name: walk(model, start, end, 9)[1] for name, model in models.items()}})

# %% [markdown]
# ## Unpooling, and why the switches are cheating
#
# Where the encoder pools, the decoder can unpool: put each number back at the place in its window where the maximum
# was, and zeros elsewhere. (M. Zeiler and R. Fergus called these places switches, 2014.) But an autoencoder decodes
# from the code alone. If the switches go along, they are part of the message: 2 bits for each window of 2x2, in every
# channel.
#
# To see how much they tell, the code gets *one* number, and the switches go along.

# %%
teller = ConvolutionalAutoencoder(x_test.shape[1:], (16, 32), code=1, up="unpool", output="logits", rng=talk.rng)


def pooled(model, x):
    """The codes of x, and the switches of the poolings on the way there."""
    switches = []
    for layer in model.encoder:
        if isinstance(layer, nn.MaxPool2d):
            x, places = md.max_pool2d(x, *layer.window, return_indices=True)
            switches.append(places)
        else:
            x = layer(x)
    return x, switches


def unpooled(model, codes, switches):
    """The raw reconstruction from codes and switches, of which the last is the first to be needed."""
    y, switches = codes, list(switches)
    for layer in model.decoder:
        y = layer(y, switches.pop()) if isinstance(layer, nn.MaxUnpool2d) else layer(y)
    return y


talk.train(teller, x_train[:talk.short(20000, 500)], epochs=talk.epochs(12 if small else 3), batch_size=50,
           optimizer=adam(teller), loss=lambda model, x: model.error(unpooled(model, *pooled(model, x)), x),
           name="switches", about="one number, and the switches")

# %% [markdown]
# With one number and the switches the images come back about as well as from the whole code, and a wrong code hardly
# matters: with the code of one image and the switches of another, it is the other that comes out. There are more bits
# in the switches than in the image. So the `ConvolutionalAutoencoder` unpools into a fixed place (`up="unpool"`), or
# spreads each number over its window (`up="upsample"`).

# %%
to_device = lambda x: md.Tensor(talk.device.put(x))
with md.no_grad(), one_core():
    codes, switches = pooled(teller, to_device(x_test[:1000]))
    right = md.sigmoid(unpooled(teller, codes, switches)).numpy()
    mixed = md.sigmoid(unpooled(teller, codes[::-1], switches)).numpy()           # the codes of other images
told = {"right": squared_error(right, x_test[:1000]), "of another": squared_error(mixed, x_test[:1000]),
        "to the other": squared_error(mixed, x_test[:1000][::-1])}
bits = sum(2 * places[0].size for places in switches)
talk.table(["what is sent", "bits", "squared error"], [
    [f"a code of {code} numbers", 32 * code, errors["convolutional"]],
    ["a code of 1 number, and the switches", 32 + bits, told["right"]],
    ["the code of another image, and the switches", 32 + bits, told["of another"]],
    ["the image itself, pixel by pixel", round(np.log2(17 if small else 256) * size * size), 0.0]])    # so many levels
with md.no_grad():
    codes, switches = pooled(teller, to_device(x_test[chosen[::-1]]))[0], pooled(teller, to_device(x_test[chosen]))[1]
    swapped = md.sigmoid(unpooled(teller, codes, switches)).numpy()
talk.rows("switches", f"One number, and {bits:,} bits of switches", {
    "code of": x_test[chosen[::-1]], "switches of": x_test[chosen], "decoded": swapped})

# %% [markdown]
# ## Checkerboards
#
# A transposed convolution spreads each number of the small map over as many pixels as its kernel has. With a stride of
# 2 and a kernel of 3, every second pixel of a row is reached by two of them and the others by one; in the plane by 1, 2
# or 4. (A. Odena, V. Dumoulin and C. Olah, "Deconvolution and checkerboard artifacts", 2016.) A kernel that the stride
# divides covers evenly, and so does a convolution after upsampling. Unpooling into one place and convolving *is* the
# transposed convolution with a kernel of 3, in two steps.

# %%
ones = {size: np.ones((size, size, 1, 1), np.float32) for size in (3, 4, 8)}
image = ones[8].reshape(1, 8, 8, 1)
talk.save(pictures.overlaps({name: y[0, 4:10, 4:10, 0] for name, y in {
    "kernel 3, stride 2": md.conv_transpose2d(image, ones[3], stride=2),
    "kernel 4, stride 2": md.conv_transpose2d(image, ones[4], stride=2),
    "upsampling, kernel 3": md.conv2d(md.upsample(image, 2), ones[3])}.items()},
    title="How many products a pixel is the sum of"), "overlaps")

# %% [markdown]
# ## Before any training
#
# With random weights a pixel's energy, its mean square, grows with the number of products. In networks with kernels of
# 3 it is as 1 : 2 : 2 : 4 for the four kinds of pixels: even or odd row, even or odd column. *Unevenness* is the
# deviation between the four, as a share of their mean; 1 : 2 : 2 : 4 has 0.48. The table has it for networks that
# nobody has trained.
#
# The same happens on the way back: the gradient of a strided convolution by its input is a transposed convolution. So
# an encoder with kernels of 3 looks at some pixels more than at others, and so does everything that it learns from.
#
# The picture shows what decoders make of maps that are the same at every place. It should be flat. An even cover alone
# does not make it so: the four kinds of pixels have weights of their own, if equally many. After upsampling they share
# them.

# %%
ways = {"kernel 3, stride 2": ("transposed", 3), "kernel 4, stride 2": ("transposed", 4), "upsampling": ("upsample", 3)}
side = 32
make = lambda up, kernel_size: ConvolutionalAutoencoder((side, side, 1), (8, 16), code=32, up=up,
                                                        kernel_size=kernel_size, rng=talk.rng)


def gradient(model, x):
    """The gradient of random projections of the codes by the images, on the host."""
    x = to_device(x)
    x.requires_grad = True
    z = model.encoder(x)
    return md.grad(z, x, talk.device.put(normal(*z.shape))).numpy()


normal = lambda *shape: talk.rng.standard_normal(shape, dtype=np.float32)
uneven, untrained, sensitivities = {}, {}, {}
noise = normal(32, side, side, 1)
for way, how in ways.items():
    networks: list = [make(*how).to(talk.device) for _ in range(talk.short(20, 2))]
    drawn = [talk.on_host(m.decode(talk.device.put(normal(64, 32)))) for m in networks]
    gradients = [gradient(m, noise) for m in networks]
    uneven[way] = [unevenness(np.mean([pixel_energies(y / y.std()) for y in ys], axis=0)) for ys in (drawn, gradients)]
    flat = [m.decoder[3:](to_device(np.tile(normal(16), (1, 8, 8, 1)))).numpy()[:, 8:-8, 8:-8] for m in networks[:6]]
    untrained[way] = np.concatenate([(y - y.mean()) / (4 * np.sqrt((y**2).mean())) + 0.5 for y in flat])
    sensitivities[way] = np.sqrt(np.mean([(g / g.std())**2 for g in gradients], (0, 1)))[4:-4, 4:-4, 0]
talk.table(["untrained", "unevenness of images", "unevenness of the gradient"], [[way, *uneven[way]] for way in ways])
talk.rows("untrained", "What untrained decoders make of flat maps",
          {way.replace(", ", ",\n"): y for way, y in untrained.items()})
strength = np.stack(list(sensitivities.values()))
talk.save(plotting.image_grid(strength / strength.max(), captions=[*list(ways)[:2], "max pooling"],
                              title="How strongly the code depends on each pixel"), "gradient")

# %% [markdown]
# ## While training
#
# Three autoencoders learn 32x32 pieces of photographs. Those with transposed convolutions both begin with patterns, and
# have to unlearn them, pixel kind by pixel kind. Mostly the kernel of 3 has more left, but not in every run: an even
# cover does not forbid a pattern. Only after upsampling there is none to unlearn.

# %%
x_pieces, x_shown = (data.crops(n, side, rng=talk.rng) for n in (talk.short(1000, 200), 200))
progress: dict[str, list[np.ndarray]] = {}
gradients_after = {}
for way, how in ways.items():
    model, progress[way] = make(*how), []

    def keep(model):
        progress[way].append(reconstructed(model, x_shown))
        return squared_error(progress[way][-1], x_shown)

    talk.train(model, x_pieces, epochs=talk.epochs(8), batch_size=50, optimizer=adam(model, lr=2e-3), validate=keep,
               about=talk.of(way, ways))
    gradients_after[way] = unevenness(pixel_energies(gradient(model, x_shown)))

calm = np.argsort(x_shown.std((1, 2, 3)))[20:100:14]                    # where little happens, a pattern shows best
learning = [plotting.image_rows([
    plotting.Row("real", x_shown[calm]), *(plotting.Row(way.replace(", ", ",\n"), y[i][calm])
                                           for way, y in progress.items())],
    title=f"Pieces of photographs, after {len(x_pieces) // 50 * (i + 1)} steps")
    for i in range(len(progress["upsampling"]))]
talk.save(learning, "learning")

# %% [markdown]
# A pattern of every second pixel is a frequency of half a cycle per pixel, the highest there is. In photographs the
# power falls towards it; where it rises there is a checkerboard. (The peak at a quarter of a cycle is that of the stage
# before.) The measure is the power at half a cycle against that at 3/8.

# %%
talk.save(plotting.curves({way: (np.arange(3, side // 2 + 1) / side, power_spectrum(y)[3:])
                           for way, y in [*((way, y[-1]) for way, y in progress.items()), ("photographs", x_shown)]},
                          x="cycles per pixel", y="power", log=True, title="After training"), "spectrum")
boards = {way: [checkerboard(y) for y in progress[way]] for way in ways}
talk.table(["checkerboard", "after an epoch", "after the last", "unevenness of the gradient"], [
    *[[way, boards[way][0], boards[way][-1], gradients_after[way]] for way in ways],
    ["photographs", checkerboard(x_shown), checkerboard(x_shown), "-"]])
talk.say(f"In photographs half a cycle has {checkerboard(x_shown):.1f} times the power of 3/8, in what the trained "
         "decoders give " + ", ".join(f"{board[-1]:.1f} times ({way})" for way, board in boards.items()) + ".")

# %% [markdown]
# ## What must come out
#
# On MNIST at most 0.95 of the dense network's error, at equal code size and epochs, with an eighth of its parameters;
# on the small digits less than the dense one's, at equal parameters. Switches must outdo another image's code. The
# untrained networks and the gradients must be as uneven as the theory says, and the pattern after training at least
# twice as strong without upsampling as with it.

# %%
talk.metrics(conv_error=errors["convolutional"], dense_error=errors["dense"])
talk.metric("ratio", errors["convolutional"] / errors["dense"], at_most=0.95 if talk.data == "mnist" else 1.0)
talk.metric("ratio_moved_1", by_pixels["convolutional"][1] / by_pixels["dense"][1])
talk.metric("ratio_moved_2", by_pixels["convolutional"][2] / by_pixels["dense"][2], at_most=0.7 if small else 1.0)
for name in models:
    talk.metrics(**{f"{name}_parameters": parameters[name], f"{name}_ms_a_step": ms_a_step[name]})
talk.metric("switches_error", told["right"], at_most=1.5 * errors["convolutional"])
talk.metric("switches_decide", told["of another"] / told["to the other"], at_most=0.5)
talk.metric("switches_bits", bits)
for way, name in zip(ways, ("kernel_3", "kernel_4", "upsampling"), strict=True):
    low, high = (0.35, 0.65) if name == "kernel_3" else (0.0, 0.2)
    talk.metric(f"uneven_{name}", uneven[way][0], at_least=low, at_most=high)
    talk.metric(f"uneven_gradient_{name}", uneven[way][1], at_least=low, at_most=high)
    talk.metric(f"checkerboard_{name}", boards[way][-1])
three, four, even = (boards[way][-1] for way in ways)
talk.metric("kernel_3_of_kernel_4", three / four)
talk.metric("transposed_of_upsampling", min(three, four) / even, at_least=2.0)
three, four, _ = gradients_after.values()
talk.metric("gradient_kernel_3_of_kernel_4", three / four, at_least=1.5)
talk.finish()
