"""Ray: one task a pack, on this machine or a cluster.

The driver holds the packs and writes the rows, as results come in; a task carries recipes only.
Embeddings come from the cache that the driver has filled: on a cluster its folder must be one that
all machines see, as must the data, or each machine embeds for itself. A pack whose worker was lost
is trained again elsewhere, from its checkpoint where the study's folder is seen there.
"""

import importlib.util
import os
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from acgan_bert.recipe_kinds import TASKS, value_at
from acgan_bert.studies.bench import Bench
from acgan_bert.studies.folder import STUDY, Study
from acgan_bert.studies.packing import Kind, Pack
from acgan_bert.studies.schedule import LOOK_AGAIN_SECONDS, Schedule
from acgan_bert.studies.work import Outcome, Task, threads_limited, train_pack
from mtl.errors import InputError

ANSWER_SECONDS = 5.0
"""Within which an address must take a connection, and its server say what it speaks."""
JOIN_SECONDS = 20.0
"""Within which a server that speaks as Ray does must turn out to be a cluster."""
MOST_RETRIES = 3
"""Times that a pack is trained again because its worker was lost."""
LOCAL = "local"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""What a client of HTTP/2 says first: its preface, and settings that change nothing."""
_SETTINGS = 4


def check_ray(address: str) -> None:
    """Check that Ray is installed, and that a cluster answers at an address: join it, and leave.

    What does not answer, or is no cluster, is so found out before a study writes anything.

    Args:
        address: ``HOST:PORT``, ``ray://HOST:PORT``, ``auto`` for a cluster that this machine is
            part of, or empty for one of its own.

    Raises:
        InputError: It is not, or none does.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "--engine ray: ray is not installed; run pip install -c constraints.txt -e "
            '".[ray]", or use --engine processes'
        )
    if address in ("", LOCAL):
        return
    if address != "auto":
        _check_answer(address)
    import ray

    try:
        _join(ray, address, threads=1)
    finally:
        ray.shutdown()


def _check_answer(address: str) -> None:
    """Check that a server of HTTP/2, which Ray speaks, answers; joining what is none takes long."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--ray_address: found {address!r}, expected HOST:PORT, or auto")
    try:
        # An address in brackets is one of IPv6.
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS) as server:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return  # it would not answer in plain words
            server.sendall(_PREFACE)
            head = server.makefile("rb").read(4)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--ray_address: {address} does not answer ({error}); start the cluster, or mend the "
            "address"
        ) from error
    if len(head) < 4 or head[3] != _SETTINGS:
        raise InputError(
            f"--ray_address: {address} is no Ray cluster, but something else that listens there; "
            "mend the address"
        )


def run_ray(study: Study, schedule: Schedule, *, address: str, workers: int) -> None:
    """Train all packs as tasks of a cluster.

    Args:
        study: What to train.
        schedule: Which pack is next.
        address: See :func:`check_ray`.
        workers: Packs in training at a time; 0: as many as the cluster has room for.

    Raises:
        InputError: What listens at the address is no cluster.
    """
    import ray

    _join(ray, address, study.threads)
    try:
        cluster = ray.cluster_resources()
        room = max(1, int(cluster.get("CPU", 1)) // study.threads)
        _Tasks(ray, study, schedule, gpus=cluster.get("GPU", 0)).run(workers or room)
    finally:
        ray.shutdown()


def resources_of(kind: Kind, threads: int, *, device: str, gpus: float) -> dict[str, float]:
    """Return what a pack asks the cluster for: a GPU where it trains an encoder, or on one.

    Args:
        kind: Of the pack.
        threads: Of a worker.
        device: ``training.device`` of its rows.
        gpus: That the cluster has.
    """
    wanted = kind == "alone" or (kind == "gan" and device != "cpu")
    return {"num_cpus": threads, "num_gpus": int(wanted and gpus >= 1)}


class _Tasks:
    """Tasks in flight, each with its pack and the claim on it."""

    def __init__(self, ray: Any, study: Study, schedule: Schedule, *, gpus: float) -> None:  # noqa: ANN401
        self._ray, self._study, self._schedule, self._gpus = ray, study, schedule, gpus
        self._train = ray.remote(train_remotely)
        self._at: dict[Any, tuple[Pack, ExitStack]] = {}

    def run(self, room: int) -> None:
        try:
            while not self._schedule.over:
                while len(self._at) < room and (pack := self._schedule.next()) is not None:
                    self._send(pack)
                self._gather()
        finally:
            for task, (_, held) in self._at.items():
                self._ray.cancel(task, force=True)
                held.close()

    def _send(self, pack: Pack) -> None:
        held = ExitStack()
        folder = held.enter_context(self._study.claim(pack))
        if folder is None:
            self._schedule.ended(pack, taken=False)
            return
        study = self._study
        task = self._train.options(
            **resources_of(
                pack.kind,
                study.threads,
                device=study.recipe_of(pack.rows[0]).training.device,
                gpus=self._gpus,
            ),
            max_retries=MOST_RETRIES,
            name=f"acgan-bert {pack.id}",
        ).remote(
            pack.kind,
            [(study.rows[row], _absolute(study.recipe_of(row))) for row in pack.rows],
            wanted=study.missing(pack),
            work=str(folder.resolve()),
            threads=study.threads,
            apart=any(study.failed(row) for row in pack.rows),
        )
        self._at[task] = (pack, held)

    def _gather(self) -> None:
        """Write what has come in; a pack whose workers were all lost is a failed one."""
        if not self._at:
            time.sleep(LOOK_AGAIN_SECONDS)
            return
        ready, _ = self._ray.wait(list(self._at), timeout=LOOK_AGAIN_SECONDS)
        for task in ready:
            pack, held = self._at.pop(task)
            with held:
                try:
                    outcomes: list[Outcome] = self._ray.get(task)
                except self._ray.exceptions.RayError as error:
                    told = " ".join(str(error).split())[:300]
                    cause = f"its worker was lost {MOST_RETRIES + 1} times, or could not begin"
                    missing = self._study.missing(pack)
                    outcomes = [(row, f"{cause}: {told}") for row in missing]
                for row, found in outcomes:
                    if isinstance(found, str):
                        self._study.write_failure(row, found)
                    else:
                        self._study.write_row(row, found)
                if not self._study.missing(pack):
                    self._study.clear(pack)
            self._schedule.ended(pack, taken=True)


_benches: list[Bench] = []
"""That of this process, once it has trained a pack."""


def train_remotely(
    kind: Kind, tasks: list[Task], *, wanted: list[str], work: str, threads: int, apart: bool
) -> list[Outcome]:
    """Train a pack in a worker of Ray.

    Args:
        kind: Of the pack.
        tasks: Its rows and their recipes.
        wanted: Rows that have no numbers yet.
        work: Folder for checkpoints, used where the study's folder is seen from here.
        threads: Of this worker.
        apart: Whether to begin with the rows one by one.
    """
    if not _benches:
        _benches.append(Bench())
    shared = (Path(work).parents[1] / STUDY).is_file()
    with TemporaryDirectory() as own, threads_limited(threads):
        folder = Path(work) if shared else Path(own)
        found = train_pack(
            kind,
            tasks,
            wanted=wanted,
            bench=_benches[0],
            work=folder,
            tell=lambda _: None,
            apart=apart,
        )
        return list(found)


def _join(ray: Any, address: str, threads: int) -> None:  # noqa: ANN401 - a module without types
    """Start a cluster, or connect to one in a thread: what is none would keep us for minutes."""
    variables = {"OMP_NUM_THREADS": str(threads)}
    if cache := os.environ.get("ACGAN_BERT_CACHE"):
        variables["ACGAN_BERT_CACHE"] = str(Path(cache).resolve())
    failures: list[Exception] = []

    def connect() -> None:
        try:
            ray.init(
                address=address or LOCAL,
                runtime_env={"env_vars": variables},
                log_to_driver=False,
                include_dashboard=False if address in ("", LOCAL) else None,
                logging_level="ERROR",
            )
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    if address in ("", LOCAL):
        connect()  # not in the thread: what Ray starts ends with the thread that started it
    else:
        thread.start()
        thread.join(JOIN_SECONDS)
    if thread.is_alive() or failures:
        told = " ".join(str(failures[0]).split())[:200] if failures else "no answer"
        raise InputError(
            f"--ray_address: {address or LOCAL}: no Ray cluster ({told}); start one, mend the "
            "address, set RAY_AUTH_MODE=token where it asks for one, or use --engine processes"
        )


def _absolute(recipe: Recipe) -> Recipe:
    """Write paths in full: a worker has another working directory."""

    def full(name: str) -> str:
        return str(Path(name).resolve()) if name and Path(name).exists() else name

    sources = [f"{part}.{name}" for part in ("data", *TASKS) for name in ("train", "dev", "test")]
    keys = (*sources, "encoder.name", "training.start_from")
    return apply(recipe, {key: full(value_at(recipe, key)) for key in keys})
