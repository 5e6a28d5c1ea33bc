"""Where jobs are done: in this process, in several of this machine, or on many machines by Ray."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from typing import Any

import torch

# Work that is the same wherever it is done; returns how many items it did.
Job = Callable[[], int]
# Does jobs and gives what each returns, in the order in which they end.
Workers = Callable[[Sequence[Job]], Iterator[int]]
# Jobs that wait for each worker of a cluster, so that its scheduler stays small.
_WAITING = 2


def here(jobs: Sequence[Job]) -> Iterator[int]:
    """In this process, with one thread."""
    threads = torch.get_num_threads()
    alone()
    try:
        for job in jobs:
            yield job()
    finally:
        torch.set_num_threads(threads)


def processes(count: int) -> Workers:
    """In `count` processes of this machine. Raises ValueError when one of them is ended from outside."""

    def work(jobs: Sequence[Job]) -> Iterator[int]:
        # A fork would inherit the locks of torch's threads.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, mp_context=context, initializer=alone) as pool:
            waiting = {pool.submit(_done, job) for job in jobs}
            try:
                while waiting:
                    ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in ended)
            except BrokenProcessPool as broken:
                raise ValueError(
                    "a worker was ended from outside, as happens when memory runs out; run the command again with "
                    f"fewer --workers than {count}: what was made stays"
                ) from broken
            finally:
                pool.shutdown(cancel_futures=True)

    return work


def ray_cluster(address: str) -> Workers:
    """On the machines of a Ray cluster; `address`: of its head, or "local" for one on this machine.

    Every machine has the pack installed and sees photographs and shards under the same paths. Raises
    ModuleNotFoundError without the package ray, and ConnectionError where nothing answers.
    """
    ray = _ray()

    def work(jobs: Sequence[Job]) -> Iterator[int]:
        if not ray.is_initialized():
            ray.init(address=address, log_to_driver=False)
        remote = ray.remote(num_cpus=1)(_done_alone)
        waiting: list[Any] = []
        most = _WAITING * max(1, int(ray.cluster_resources().get("CPU", 1)))
        for job in jobs:
            if len(waiting) >= most:
                ended, waiting = ray.wait(waiting, num_returns=1)
                yield from ray.get(ended)
            waiting.append(remote.remote(job))
        while waiting:
            ended, waiting = ray.wait(waiting, num_returns=1)
            yield from ray.get(ended)

    return work


def _ray() -> Any:
    try:
        return import_module("ray")
    except ModuleNotFoundError as missing:
        if missing.name != "ray":
            raise
        raise ModuleNotFoundError(
            "--ray needs the Python package ray, which is not installed; install it with: pip install "
            '"face-part-fusion[ray]", or use --workers on one machine'
        ) from missing


def _done(job: Job) -> int:
    return job()


def _done_alone(job: Job) -> int:
    alone()
    return job()


def alone() -> None:
    """One thread for this process: workers share the cores, and sums in another order would change the last bit."""
    torch.set_num_threads(1)
