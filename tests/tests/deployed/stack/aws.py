# Calls AWS for a test: a JSON line in ({"service", "operation", "parameters"}), a JSON line out ({"ok"} or {"error"}). One
# process for all calls: the command line of AWS takes most of a second to start.
import json
import os
import sys

import botocore.session

session = botocore.session.get_session()
clients = {}


def client(service):
    if service not in clients:
        clients[service] = session.create_client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    return clients[service]


def plain(value):
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"ok": getattr(client(asked["service"]), asked["operation"])(**asked["parameters"])}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=plain), flush=True)
