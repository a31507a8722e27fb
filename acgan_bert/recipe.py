"""The configuration of one run: frozen dataclasses, nothing else.

Every field is a key of a recipe file and a dotted flag of the command line
(``generator.depth: 3``, ``--generator.depth 3``); the string below a field is its help text.
Reading, checking and writing recipes is :mod:`acgan_bert.recipe_io`.
"""

from dataclasses import dataclass, field
from typing import Literal

from acgan_bert.recipe_adaptation import AdaptationRecipe
from acgan_bert.recipe_data import DataRecipe
from acgan_bert.recipe_tasks import (
    ContrastiveRecipe,
    JointRecipe,
    MultitaskRecipe,
    SharingRecipe,
    SmartRecipe,
    TaskRecipe,
    TasksRecipe,
)
from acgan_bert.recipe_watch import WatchRecipe

__all__ = [
    "AdaptationRecipe",
    "ContrastiveRecipe",
    "DataRecipe",
    "DiscriminatorRecipe",
    "EncoderRecipe",
    "GeneratorRecipe",
    "JointRecipe",
    "MultitaskRecipe",
    "ObjectiveRecipe",
    "Recipe",
    "ReportRecipe",
    "SemisupervisedRecipe",
    "SharingRecipe",
    "SmartRecipe",
    "TaskRecipe",
    "TasksRecipe",
    "TrainingRecipe",
    "WatchRecipe",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderRecipe:
    """The pretrained text encoder."""

    name: str = "offline"
    """Hub name, local path, or offline (the packaged all-MiniLM-L6-v2)."""
    pooling: Literal["cls", "mean", "pooler"] = "mean"
    """How token states become one vector."""
    pair: Literal["joined", "cross"] = "joined"
    """Pair tasks: two encodings joined as (|u - v|, u * v), or one cross encoding of both texts."""
    max_length: int = 256
    """Tokens kept of each text."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the encoder; auto: bfloat16 autocast where the processor has it."""
    token_budget: int = 8192
    """Tokens in one batch of an embedding, padding included."""
    mode: Literal["frozen", "finetune", "last", "lora"] = "frozen"
    """Which of its weights are trained: none, all, those of the last layers, or adapters."""
    last_layers: int = 1
    """How many layers last means."""
    lora_rank: int = 256
    """Rank of low-rank adapters."""
    lora_alpha: int = 32
    """Their scale is alpha / rank."""
    lora_modules: tuple[str, ...] = ()
    """Linear maps of a layer that they adapt; empty: its three dense ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratorRecipe:
    """The conditional generator: (noise, label) -> embedding."""

    depth: int = 1
    """Hidden layers, 1 to 16."""
    width: int = 128
    """Units per hidden layer."""
    noise: Literal["normal", "uniform"] = "normal"
    """Distribution of the noise: N(0, 1), or U(0, 1) as in GAN-BERT."""
    noise_width: int = 0
    """Width of the noise vector; 0: that of an embedding, so that no direction is left out."""
    dropout: float = 0.0
    """Dropout probability of the hidden layers."""
    linear_skip: bool = True
    """Add a linear map of noise and label: a class-conditional Gaussian is then a special case."""
    warm_start: bool = True
    """The linear skip begins at that Gaussian, fitted to all rows by their guessed classes."""
    ema: float = 0.99
    """Decay of the moving average of the weights that samples come from; 0: the last weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscriminatorRecipe:
    """The discriminator, whose class heads are the classifier."""

    depth: int = 1
    """Hidden layers, 1 to 16."""
    width: int = 128
    """Units per hidden layer."""
    dropout: float = 0.3
    """Dropout probability of the hidden layers."""
    input_noise: float = 1.5
    """Standard deviation of Gaussian noise on its standardized inputs while training."""
    linear_skip: bool = True
    """Class heads also see the embedding itself, so that logistic regression is a special case."""
    warm_start: bool = True
    """The linear skip begins at logistic regression, joined with the generator's Bayes rule."""
    spectra: tuple[float, ...] = (-0.5, 0.0, 0.5, 1.0)
    """Weigh principal components by variance ** (s / 2), s averaged over these by the labels."""
    spectral_norm: bool = False
    """Divide each weight matrix by its largest singular value."""
    ema: float = 0.99
    """Decay of the moving average that gives pseudo-labels and predictions; 0: the last weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectiveRecipe:
    """The game and how much each of its terms counts; 0 leaves a term out."""

    name: Literal[
        "hinge", "ac-gan", "gan-bert", "tac-gan", "adc-gan", "reac-gan", "moment-matching"
    ] = "hinge"
    """Adversarial objective; moment-matching trains the generator with no adversary."""
    adversarial: float = 1.0
    """Weight of the adversarial losses."""
    class_real: float = 1.0
    """Discriminator: cross-entropy on labelled rows."""
    class_fake: float = 1.0
    """Discriminator: cross-entropy on fakes, which makes them training data."""
    class_generator: float = 0.3
    """Generator: cross-entropy of its fakes under the discriminator's class heads."""
    feature_matching: float = 1.0
    """Generator: mean features of real and fake."""
    moment_matching: float = 1.0
    """Generator: class means and covariance of real and fake embeddings."""
    mode_seeking: float = 0.0
    """Generator: penalty on fakes that ignore their noise."""
    r1: float = 0.0
    """Discriminator: gradient penalty on real rows."""
    negative_augmentation: float = 0.0
    """Discriminator: recombined real rows count as fakes, with this weight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SemisupervisedRecipe:
    """How unlabelled rows take part."""

    labeled_share: float = 0.25
    """Share of a batch drawn from the labelled rows, in (0, 1]."""
    pseudo_labels: float = 1.0
    """Weight of the cross-entropy on pseudo-labels; 0: none."""
    threshold: float = 0.8
    """Least probability at which a pseudo-label counts."""
    alignment: bool = True
    """Distribution alignment: scale pseudo-labels to the labelled class shares."""
    warmup_steps: int = 100
    """Steps before pseudo-labels count, and again until they count in full."""
    fake_labels: Literal["prior", "uniform"] = "prior"
    """Fake labels follow the labelled class shares, or are uniform."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRecipe:
    """The loop."""

    steps: int = 200
    """Updates of each player."""
    batch_size: int = 128
    """Real rows per step, labelled and unlabelled; as many fakes."""
    members: int = 4
    """GANs trained as one program from different seeds; their probabilities are averaged."""
    discriminator_learning_rate: float = 3e-4
    """AdamW step size of the discriminator."""
    skip_learning_rate: float = 1e-4
    """AdamW step size of the linear skip."""
    generator_learning_rate: float = 5e-5
    """AdamW step size of the generator."""
    beta1: float = 0.5
    """AdamW first-moment decay."""
    weight_decay: float = 0.01
    """AdamW decay of the discriminator's weights."""
    clip: float = 10.0
    """Largest gradient norm of each player and member; 0: no clipping."""
    divergence_norm: float = 1e6
    """Gradient norm at which a run stops as diverged."""
    eval_every_steps: int = 10
    """Steps between two records in metrics.jsonl."""
    checkpoint_every_steps: int = 50
    """Steps between two checkpoints."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where GANs on frozen embeddings are trained: cpu, cuda, or auto (a GPU if there is one)."""
    log_with: str = ""
    """Tracker that accelerate knows, such as tensorboard or wandb; empty: none."""
    start_from: str = ""
    """Finished run, or its model/, whose players training begins at; empty: at new ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportRecipe:
    """What is compared and drawn once training has ended."""

    baselines: tuple[
        Literal[
            "logistic_regression",
            "self_training",
            "label_spreading",
            "supervised_mlp",
            "gan_bert",
            "setfit",
        ],
        ...,
    ] = ("logistic_regression", "self_training", "label_spreading", "supervised_mlp", "gan_bert")
    """Methods trained on the same ids beside the GAN."""
    fakes: int = 500
    """Fake embeddings that are measured and drawn."""
    figures: bool = True
    """Draw figures and write report.html."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Everything that decides one run."""

    seed: int = 0
    """Seed of the label draw and of every random stream."""
    gan: bool = True
    """Train the GAN: on data.train, or on the tasks beside the multitask BERT; false: it alone."""
    data: DataRecipe = field(default_factory=DataRecipe)
    """Where the text is and how much of it is labelled."""
    encoder: EncoderRecipe = field(default_factory=EncoderRecipe)
    """The pretrained text encoder."""
    adaptation: AdaptationRecipe = field(default_factory=AdaptationRecipe)
    """The stage that moves the encoder ahead of the GAN."""
    generator: GeneratorRecipe = field(default_factory=GeneratorRecipe)
    """The conditional generator: (noise, label) -> embedding."""
    discriminator: DiscriminatorRecipe = field(default_factory=DiscriminatorRecipe)
    """The discriminator, whose class heads are the classifier."""
    objective: ObjectiveRecipe = field(default_factory=ObjectiveRecipe)
    """The game and how much each of its terms counts; 0 leaves a term out."""
    semisupervised: SemisupervisedRecipe = field(default_factory=SemisupervisedRecipe)
    """How unlabelled rows take part."""
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    """The loop of the GAN, and the tracker of any run."""
    watch: WatchRecipe = field(default_factory=WatchRecipe)
    """The early warning of a generator that collapses."""
    tasks: TasksRecipe = field(default_factory=TasksRecipe)
    """What the multitask BERT predicts."""
    sharing: SharingRecipe = field(default_factory=SharingRecipe)
    """What tasks share besides the encoder, and what of it is their own."""
    multitask: MultitaskRecipe = field(default_factory=MultitaskRecipe)
    """The loop of the multitask BERT."""
    smart: SmartRecipe = field(default_factory=SmartRecipe)
    """Regularization of the multitask BERT by SMART: smoothness and proximal point."""
    contrastive: ContrastiveRecipe = field(default_factory=ContrastiveRecipe)
    """The contrastive stage ahead of multitask training."""
    joint: JointRecipe = field(default_factory=JointRecipe)
    """The GAN beside an encoder that is trained along."""
    report: ReportRecipe = field(default_factory=ReportRecipe)
    """What is compared and drawn once training has ended."""
