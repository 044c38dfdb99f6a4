#!/usr/bin/env python3
"""A large message whose file was damaged while it waited: it goes on hold, and nobody gets it."""
import glob
import json
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from harness import Instance, check_equal, finish, free_port
from sink import Sink


def flip(path):
    """One bit in the middle of a file."""
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0] ^ 4
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte]))


port = free_port()
with Instance({"transport_maps": f"static:smtp:[127.0.0.1]:{port}", "relay_domains": "static:all",
               "minimal_backoff_time": "1s", "maximal_backoff_time": "1s",
               "queue_run_delay": "1s", "transport_retry_time": "1s"}) as mta:
    mta.expect_trouble("damaged on the disk")
    mta.start()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    text = "Subject: large\n\n" + ("0123456789" * 7 + "\n") * 20000
    qids = [smtp.message("a@x.example", "b@y.example", text.rstrip("\n")) for _ in range(2)]
    smtp.close()
    for qid in qids:
        mta.wait_for_log(rf"{qid}: to=.*status=deferred")
    mta.stop()
    bodies = sorted(glob.glob(os.path.join(mta.queue, "log", "body", "*")))
    check_equal(len(bodies), 2, "files of large bodies")
    flip(bodies[0])
    with Sink(port=port) as sink:
        mta.start()
        mta.wait_for_log(rf"{qids[0]}: the message is damaged on the disk; it is placed on hold")
        mta.wait_for_log(rf"{qids[1]}: to=.*status=sent")
        queue = [json.loads(line) for line in mta.run("postqueue", "-j").stdout.splitlines()]
        check_equal([(m["queue_id"], m["queue_name"]) for m in queue], [(qids[0], "hold")],
                    "what is left in the queue")
        check_equal(len(sink.messages), 1, "messages that arrived")
finish()
