"""A worker that does what the name of a file says: waits for a file called `go`, dies, takes for ever.

Speaks as `host.web.worker` does, but computes nothing; arguments: folder, backend.
"""

import json
import os
import pathlib
import sys
import time

folder = pathlib.Path(sys.argv[1])
for line in sys.stdin:
    order = json.loads(line)
    kind = order["name"].split(".")[0]
    with open(folder.parent / "orders", "a") as file:
        file.write(json.dumps(order) + "\n")
    print(json.dumps({"step": "compute", "done": 1, "total": 4}), flush=True)
    while kind == "wait" and not (folder.parent / "go").exists():
        time.sleep(0.01)
    if kind == "ever":
        time.sleep(1000)
    if kind == "die" or kind == "once" and not (folder.parent / "died").exists():
        (folder.parent / "died").touch()
        print('{"step": "half a l', end="", flush=True)
        os._exit(9)
    if kind == "bad":
        print(json.dumps({"failed": f"{order['name']} is bad"}), flush=True)
        continue
    (folder / "jobs" / order["id"] / "result.png").write_bytes(b"result of " + order["id"].encode())
    done = {
        "result": "result.png",
        "views": [],
        "seconds": {},
        "size": [1, 1],
        "notes": [],
        "backend": "none",
        "why": "",
    }
    print(json.dumps({"finished": done}), flush=True)
