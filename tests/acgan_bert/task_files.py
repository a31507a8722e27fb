"""Three tiny files, a task each, and what makes a multitask run of a second of them."""

SENTENCES = ("a good film", "a bad film", "the story is fine", "the plot was dull")


def write_tasks(folder):
    """Write train and dev files; returns the flags that name them."""
    sentiment = [(SENTENCES[row % 4] + f" {row}", row % 3) for row in range(24)]
    pairs = [
        (SENTENCES[row % 4], SENTENCES[(row * 3 + row // 4) % 4] + f" {row}") for row in range(24)
    ]
    contents = {
        "sentiment": ("sentence,sentiment", [f"{text},{grade}" for text, grade in sentiment]),
        "paraphrase": (
            "sentence1,sentence2,is_duplicate",
            [f"{first},{second},{row % 2}" for row, (first, second) in enumerate(pairs)],
        ),
        "similarity": (
            "sentence1,sentence2,similarity",
            [f"{first},{second},{row % 11 / 2}" for row, (first, second) in enumerate(pairs)],
        ),
    }
    flags = []
    for task, (header, rows) in contents.items():
        for part, taken in {"train": rows[:18], "dev": rows[18:]}.items():
            path = folder / f"{task}-{part}.csv"
            path.write_text("\n".join([header, *taken]) + "\n", encoding="utf-8")
            flags += [f"--tasks.{task}.{part}", str(path)]
    return flags


def small(encoder):
    """Return the flags of two short epochs on a toy encoder."""
    return [
        *("--encoder.name", str(encoder), "--encoder.lora_rank", "4", "--encoder.lora_alpha", "4"),
        *("--multitask.epochs", "2", "--multitask.updates_per_epoch", "3"),
        *("--multitask.batch_size", "4", "--multitask.encoder_learning_rate", "1e-3"),
        *("--multitask.precision", "no"),  # bf16 kernels are compiled anew for each shape
        *("--contrastive.updates", "2", "--contrastive.batch_size", "4"),
        *("--report.figures", "false"),
    ]
