# Runs ministack on a free port of this machine. Says "ready PORT" on its standard output once it answers, and ends when
# its standard input does: when whoever started it has ended, in whatever way. Logs go to the file that is named. A line
# "kill FUNCTION" ends the processes of a function that are at work, as a host does that fails; it is answered by
# "killed NUMBER".
import os
import signal
import socket
import sys
import threading
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def kill(function):
    from ministack.core import lambda_runtime

    with lambda_runtime._lock:
        workers = [worker for pool in lambda_runtime._workers.values() for worker in pool]
    killed = 0
    for worker in workers:
        process = worker._proc
        at_work = worker.func_name == function and worker._current_request_id is not None
        if at_work and process is not None and process.poll() is None:
            process.kill()
            killed += 1
    return killed


def obey(log, out):
    for line in sys.stdin:
        word, function = line.split()
        assert word == "kill", line
        os.write(out, f"killed {kill(function)}\n".encode())
    # Whoever started us has ended.
    os.unlink(log)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(3)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def announce(port, out):
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                os.write(out, f"ready {port}\n".encode())
                return
        except OSError:
            time.sleep(0.05)
    os._exit(1)


def tell_conditions():
    """Gives policies the condition keys that AWS has and the stand-in has not: without them `ForAllValues` always passes and
    `Null` never does. https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"""
    import json
    import urllib.parse

    from ministack.core import iam_actions

    def read(body):
        try:
            data = json.loads(body or b"{}")
        except (ValueError, UnicodeDecodeError):
            return {}
        return data if isinstance(data, dict) else {}

    def leading_keys(body):
        data = read(body)
        found = []

        def key(attributes):
            if isinstance(attributes, dict) and isinstance(attributes.get("pk"), dict):
                found.extend(attributes["pk"].values())

        def request(one):
            key(one.get("Key"))
            key(one.get("Item"))
            # A query names the partition in its condition, by whatever placeholder.
            condition, names, values = one.get("KeyConditionExpression"), one.get("ExpressionAttributeNames") or {}, one.get("ExpressionAttributeValues") or {}
            for part in (condition or "").split(" AND "):
                name, _, value = (word.strip() for word in part.partition("="))
                if names.get(name, name) == "pk" and value in values:
                    found.extend(values[value].values())

        request(data)
        for tables in (data.get("RequestItems") or {}).values():
            if isinstance(tables, dict):
                for one in tables.get("Keys") or []:
                    key(one)
            else:
                for one in tables:
                    for write in one.values():
                        request(write)
        for item in data.get("TransactItems") or []:
            for write in item.values():
                request(write)
        return found

    def lower(context):
        return {**context, **{name.lower(): value for name, value in context.items()}}

    dynamodb, tags = iam_actions.dynamodb_service_context, iam_actions.request_tag_context

    def dynamodb_service_context(body):
        keys = leading_keys(body)
        return lower({**dynamodb(body), **({"dynamodb:LeadingKeys": keys} if keys else {})})

    def request_tag_context(service, action, body, params):
        context = dict(tags(service, action, body, params))
        if service == "kms":
            encryption = read(body).get("EncryptionContext") or {}
            if encryption:
                context["kms:EncryptionContextKeys"] = list(encryption)
            context.update({f"kms:EncryptionContext:{name}": value for name, value in encryption.items()})
        if service == "sts":
            text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
            form = urllib.parse.parse_qs(text)
            audiences = [value for name, values in form.items() if name.startswith("Audience") for value in values]
            if audiences:
                context["sts:IdentityTokenAudience"] = audiences
            if "DurationSeconds" in form:
                context["sts:DurationSeconds"] = form["DurationSeconds"][0]
        return lower(context)

    iam_actions.dynamodb_service_context = dynamodb_service_context
    iam_actions.request_tag_context = request_tag_context


def simulate_with_context():
    """Has policies simulated on every resource and in the context that are asked for; the stand-in takes the first resource and
    no context. https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html"""
    from ministack.core.iam_evaluator import EvalContext, evaluate
    from ministack.services import iam

    def members(parameters, name):
        number, found = 1, []
        while (value := iam._p(parameters, f"{name}.member.{number}")) != "":
            found.append(value)
            number += 1
        return found

    def extract(parameters):
        context, number = {}, 1
        while name := iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyName"):
            values = members(parameters, f"ContextEntries.member.{number}.ContextKeyValues")
            kind = iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyType")
            context[name] = context[name.lower()] = values if kind.endswith("List") else values[0]
            number += 1
        return members(parameters, "ActionNames"), (members(parameters, "ResourceArns") or ["*"], context)

    def results(actions, asked, principal, account, policies):
        resources, context = asked
        answers = ""
        for action in actions:
            for resource in resources:
                request = EvalContext(
                    principal_arn=principal, principal_type="User", principal_account=account, action=action,
                    resource_arn=resource, region="us-east-1", source_ip="127.0.0.1", secure_transport=True,
                )
                request.service_context = context
                decision = {"Allow": "allowed", "Deny": "explicitDeny"}.get(evaluate(request, policies).decision, "implicitDeny")
                answers += (
                    f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
                    f"<EvalDecision>{decision}</EvalDecision></member>"
                )
        return answers

    iam._extract_simulate_params = extract
    iam._build_simulate_results_real = results


if os.getpgrp() != os.getpid():
    os.setpgid(0, 0)
port = free_port()
out = os.dup(1)
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
os.dup2(log, 1)
os.dup2(log, 2)
for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
    del os.environ[name]
os.environ.update(
    BIND_HOST="127.0.0.1",
    GATEWAY_PORT=str(port),
    IOT_MTLS_ENABLED="0",
    SFTP_ENABLED="0",
    # What functions inherit that run inside.
    AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
)
threading.Thread(target=obey, args=(sys.argv[1], out), daemon=True).start()
threading.Thread(target=announce, args=(port, out), daemon=True).start()
sys.argv = ["ministack"]
try:
    from ministack.app import main

    tell_conditions()
    simulate_with_context()
    main()
finally:
    # Functions that still run inside are children of ours, and of nobody else.
    os.killpg(os.getpgrp(), signal.SIGKILL)
