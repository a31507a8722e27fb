"""Ray as far as no cluster is needed: addresses that are none, and what packs ask for."""

import socketserver
import time
from threading import Thread

import pytest

from acgan_bert.studies.ray_engine import check_ray, resources_of
from mtl.errors import InputError


class Stranger(socketserver.BaseRequestHandler):
    """Answers as a web server of old would."""

    def handle(self):
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_an_address_that_does_not_answer_is_said_within_seconds():
    pytest.importorskip("ray")
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9 does not answer"):
        check_ray("127.0.0.1:9")
    with pytest.raises(InputError, match="expected HOST:PORT"):
        check_ray("somewhere")
    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(InputError, match="is no Ray cluster, but something else"):
            check_ray(f"127.0.0.1:{server.server_address[1]}")
    assert time.monotonic() - begun < 10


def test_only_packs_that_move_an_encoder_ask_for_a_gpu():
    def gpus(kind, device, there):
        asked = resources_of(kind, 2, device=device, gpus=there)
        assert asked["num_cpus"] == 2
        return asked["num_gpus"]

    assert gpus("gan", "cpu", 4) == gpus("baselines", "cuda", 4) == 0
    assert gpus("gan", "cuda", 4) == gpus("gan", "auto", 4) == gpus("alone", "cpu", 4) == 1
    assert gpus("gan", "cuda", 0) == gpus("alone", "cpu", 0) == 0  # a row there says why it fails
