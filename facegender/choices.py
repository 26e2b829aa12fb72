"""Every closed vocabulary: the words that an option or a stored setting may be, each listed once.

The command line, its help and completion, and the library read them here. Tables of behaviour
(networks, export formats, conditions, detectors) are keyed by these words in their own rooms.

A choice is a string: ``TrainSettings(crop="box")`` and ``TrainSettings(crop=CropKind.BOX)`` are
the same.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Choice(StrEnum):
    """A word of a closed vocabulary.

    Attributes:
        meaning: what the word stands for, for help and completion.
    """

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """Make a member that equals `word`."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    def __repr__(self) -> str:
        """Return what the plain string would: these words appear in messages."""
        return repr(self.value)


class CropKind(Choice):
    """How a face becomes a crop."""

    BOX = "box", "a square around the face found"
    EYES = "eyes", "rotated so that the eyes are level"
    PHOTO = "photo", "each photo is one face"


class Alignment(Choice):
    """The kinds of crops that `prepare` makes: those for which a face is looked for."""

    EYES = CropKind.EYES.value, CropKind.EYES.meaning
    BOX = CropKind.BOX.value, CropKind.BOX.meaning


class CropFormat(Choice):
    """File formats of the crops that `prepare` writes."""

    PNG = "png", "without loss"
    JPEG = "jpeg", "smaller"


class FaceSelection(Choice):
    """Which photos `prepare` takes a face from."""

    LARGEST = "largest", "the largest face of each photo"
    SINGLE = "single", "leave out photos with several faces"


class Split(Choice):
    """The splits of a table."""

    TRAIN = "train", "the rows to learn from"
    VAL = "val", "the rows that choose the epoch"
    TEST = "test", "the rows for the test"


class EvalSplit(Choice):
    """The rows that `eval` can judge a model on."""

    TEST = Split.TEST.value, Split.TEST.meaning
    VAL = Split.VAL.value, "the rows that chose the epoch"
    TRAIN = Split.TRAIN.value, "the rows that the model learned from"
    ALL = "all", "every row"


class SplitMethod(Choice):
    """How `prepare` divides the photos."""

    AUTO = "auto", "the folders' own, else by person, else by photo"
    PERSON = "person", "nobody in two splits"
    PHOTO = "photo", "by photo"
    FOLDERS = "folders", "as the train/ val/ test/ folders say"
    ARTICLE = "article", "as the 2015 article"


class Arch(Choice):
    """The networks."""

    LITE15 = "lite15", "the bundled model's"
    LITE = "lite", "three blocks fewer"
    LITE2 = "lite2", "to teach smaller ones"
    COMPACT = "compact", "quick from scratch"
    CLASSIC = "classic", "the 2015 article's network"


class Schedule(Choice):
    """How the learning rate changes during a training.

    Cosine: up linearly over a fifteenth of the steps and then down to zero by a cosine (Loshchilov
    and Hutter, "SGDR", 2017, without restarts).
    """

    COSINE = "cosine", "warm-up, then down to zero"
    CONSTANT = "constant", "one rate"


class Start(Choice):
    """What a training starts from, where that is not a model folder."""

    BUNDLED = "bundled", "the bundled model"
    NONE = "none", "from scratch"


class OnChange(Choice):
    """What a training does about photos that vanished or changed since `prepare`."""

    REFUSE = "refuse", "stop with an error"
    SKIP = "skip", "leave out their rows"


class Devices(Choice):
    """What a training runs on."""

    ONE = "one", "one GPU, else the CPU"
    ALL = "all", "all GPUs of this machine share every batch"


class Precision(Choice):
    """What a training computes in."""

    FLOAT32 = "float32", "single precision"
    MIXED = "mixed", "float16, with weights, logits and probabilities in float32"


class ExportFormat(Choice):
    """Formats that a model is exported to."""

    LITERT = "litert", "TensorFlow Lite"
    ONNX = "onnx", "for onnxruntime and others"
    SAVED_MODEL = "saved_model", "TensorFlow"


class Engine(Choice):
    """What `predict` runs on."""

    PLAIN = "plain", "this process and its workers"
    RAY = "ray", "an archive to Parquet, on all cores or a cluster"


class AnswerKind(Choice):
    """What a photo shows: the folders that `predict --sort` fills, and the words of `--only`."""

    FEMALE = "female", "a female face"
    MALE = "male", "a male face"
    UNCERTAIN = "uncertain", "a face without a sure answer"
    SEVERAL = "several", "several faces"
    NONE = "none", "no face"


class Unit(Choice):
    """What `count` counts, where the answers hold both."""

    FACE = "face", "faces of photos"
    TRACK = "track", "tracks of videos"


class Backend(Choice):
    """The face detectors; the first that is installed is the default."""

    LIBFACEDETECTION = "libfacedetection", "fast; wheels for x86-64 Linux and Windows"
    MTCNN = "mtcnn", "slower, runs everywhere"


class Condition(Choice):
    """Worse crops and photos under which `eval --stress` repeats a test."""

    TIGHTER = "tighter", "cut tighter, to 83 % of the side: no margin"
    WIDER = "wider", "cut wider, to 117 % of the side: a margin of 40 %"
    SHIFTED = "shifted", "moved by 10 % of the side, right and down"
    TURNED = "turned", "turned by 15 degrees"
    SMALL = "small", "20 pixels wide, enlarged"
    BLURRED = "blurred", "blurred (Gaussian, 3 % of the side)"
    DARK = "dark", "a quarter of the light"
    JPEG = "jpeg", "JPEG of quality 20"
    GREY = "grey", "without colour"
    MOUTH = "mouth", "nose and mouth masked"
    EYES = "eyes", "eyes covered by a black bar"
