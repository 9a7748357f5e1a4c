"""What no test of this repository can see, looked at in a real account within five minutes:

    python3 infra/check.py STACK           # both of what follows
    python3 infra/check.py STACK rights    # what IAM itself makes of the deployed policies, held against rights.txt
    python3 infra/check.py STACK smoke     # what is deployed answers

Takes AWS's command line and an administrator's credentials. It changes nothing, but for one alarm, which is raised and put
back: every receiver of alarms gets one. Ends with 0 when everything is as it should be, and with 1 otherwise.
"""

import fnmatch
import json
import pathlib
import re
import subprocess
import sys
import time

RIGHTS = pathlib.Path(__file__).with_name("rights.txt")
# A tick comes every five minutes; a function that starts for the first time takes some seconds.
PATIENCE_SECONDS = 420

bad = 0


def aws(*words):
    ran = subprocess.run(["aws", *words, "--output", "json"], capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"aws {' '.join(words[:2])}: {ran.stderr.strip()}")
    return json.loads(ran.stdout) if ran.stdout.strip() else {}


def say(good, what):
    global bad
    bad += not good
    print(f"{'ok ' if good else 'BAD'}  {what}", flush=True)


class Stack:
    """What is deployed: parameters, and resources by their names in the template."""

    def __init__(self, name):
        self.name = name
        found = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
        self.status = found["StackStatus"]
        self.parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
        _, self.partition, _, self.region, self.account, _ = found["StackId"].split(":", 5)
        resources = aws("cloudformation", "describe-stack-resources", "--stack-name", name)["StackResources"]
        self.resources = {one["LogicalResourceId"]: one for one in resources}

    def id(self, name):
        return self.resources[name]["PhysicalResourceId"]

    def arn(self, name):
        kind, own = self.resources[name]["ResourceType"], self.id(name)
        if own.startswith("arn:"):
            return own
        here = f"{self.region}:{self.account}"
        return f"arn:{self.partition}:" + {
            "AWS::DynamoDB::Table": f"dynamodb:{here}:table/{own}",
            "AWS::SQS::Queue": f"sqs:{here}:{own.rsplit('/', 1)[-1]}",
            "AWS::S3::Bucket": f"s3:::{own}",
            "AWS::KMS::Key": f"kms:{here}:key/{own}",
            "AWS::Logs::LogGroup": f"logs:{here}:log-group:{own}:*",
        }[kind]

    def has(self, condition):
        """Whether a condition of the template holds."""
        parameter = {"HasSecrets": "SecretPrefix", "HasSourceBucket": "SourceBucket", "HasRestoredTable": "RestoredTable",
                     "HasSourceNetwork": "SourceSubnetIds"}
        if condition in parameter:
            return bool(self.parameters.get(parameter[condition]))
        if condition == "HasDirectories":
            return self.parameters.get("Directories") == "true"
        if condition == "HasDirectorySecrets":
            return self.has("HasDirectories") and self.has("HasSecrets")
        if condition == "HasDirectoryKey":
            return self.has("HasDirectories") and self.has("HasDataKey")
        return {"HasDataKey": "DataKey"}[condition] in self.resources

    def filled(self, text):
        """A text of rights.txt with the names of this stack in it; what may be anything is something."""

        def one(found):
            name = found.group(1)
            pseudo = {"Partition": self.partition, "Region": self.region, "AccountId": self.account, "StackName": self.name}
            pseudo = {f"AWS::{key}": value for key, value in pseudo.items()}
            if name in pseudo or name in self.parameters:
                return pseudo.get(name, self.parameters.get(name))
            return self.arn(name.removesuffix(".Arn")) if name.endswith(".Arn") else self.id(name)

        return re.sub(r"\$\{([^}]+)\}", one, text)

    def documents(self, who, attached):
        """The policies that somebody has."""
        found = []
        if self.resources[who]["ResourceType"] == "AWS::IAM::Role":
            named = aws("iam", "list-role-policies", "--role-name", self.id(who))["PolicyNames"]
            for name in named:
                asked = aws("iam", "get-role-policy", "--role-name", self.id(who), "--policy-name", name)
                found.append(asked["PolicyDocument"])
        else:
            attached = [who]
        for policy in attached:
            arn = self.arn(policy)
            version = aws("iam", "get-policy", "--policy-arn", arn)["Policy"]["DefaultVersionId"]
            asked = aws("iam", "get-policy-version", "--policy-arn", arn, "--version-id", version)
            found.append(asked["PolicyVersion"]["Document"])
        return [document if isinstance(document, str) else json.dumps(document) for document in found]


def something(pattern):
    return pattern.replace("*", "x")


def simulated(documents, actions, resources, context=()):
    """Which pairs of an action and a resource IAM allows."""
    words = ["iam", "simulate-custom-policy", "--policy-input-list", *documents, "--action-names", *sorted(actions)]
    words += ["--resource-arns", *sorted(resources)]
    if context:
        words += ["--context-entries", *(json.dumps(entry) for entry in context)]
    answers = aws(*words)["EvaluationResults"]
    return {(one["EvalActionName"], one["EvalResourceName"]) for one in answers if one["EvalDecision"] == "allowed"}


def context_of(when, change=lambda values: values):
    """What a request tells under which a condition of rights.txt holds; `change` makes other values of them."""
    entries = []
    for part in when.split("; "):
        told = re.fullmatch(r"(\S+) (\S+) = (.*)", part)
        if told is None or told.group(1) == "Null":
            continue
        operator, key, values = told.groups()
        values = change([something(value) for value in values.split(", ")])
        kind = "numeric" if "Numeric" in operator else "string"
        if operator.startswith("For"):
            kind += "List"
        else:
            values = values[-1:]
        entries.append({"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": values})
    return entries


def rights(stack):
    """Every line of rights.txt that is about a role or a policy of the stack, tried with IAM's own evaluator."""
    wanted, forbidden, attached = {}, {}, {}
    for line in RIGHTS.read_text().splitlines():
        parts = line.split(" | ")
        if line.startswith("#") or " " in parts[0]:
            continue
        if len(parts) == 3 and parts[1] == "has":
            attached.setdefault(parts[0], []).append(parts[2].strip("${}"))
        if len(parts) != 5:
            continue
        who, effect, action, resource, when = parts
        given = re.search(r" ?\(where (\w+)\)$", when)
        if given:
            when = when[: given.start()]
            if not stack.has(given.group(1)):
                continue
        other = re.fullmatch(r"(.*) \(where (\w+): (.*)\)", resource)
        if other:
            resource = other.group(3) if stack.has(other.group(2)) else other.group(1)
        resource = stack.filled(resource)
        lines = (wanted if effect == "allow" else forbidden).setdefault(who, {})
        lines.setdefault(stack.filled(when), set()).add((action, resource))
    everything = {pair for lines in wanted.values() for pairs in lines.values() for pair in pairs}
    actions = {action for action, _ in everything} | {"dynamodb:DeleteTable", "dynamodb:Scan", "iam:PassRole"}
    resources = {something(pattern) for _, pattern in everything if pattern != "*"}
    # A policy that roles share is tried with each of them.
    shared = {policy for policies in attached.values() for policy in policies}
    for who, lines in sorted(wanted.items()):
        if who in shared:
            continue
        documents = stack.documents(who, attached.get(who, []))
        # Wherever a request tells nothing, what is allowed is what needs no condition, and nothing else.
        free = lines.get("always", set())
        meant = {(action, one) for action, pattern in free for one in resources if fnmatch.fnmatchcase(one, pattern)}
        allowed = simulated(documents, actions, resources)
        say(allowed == meant, f"{who} without any context: {len(meant)} of {len(actions) * len(resources)}")
        for pair in sorted(allowed ^ meant):
            print(f"       {'too many' if pair in allowed else 'missing'}: {pair[0]} on {pair[1]}")
        for when, pairs in sorted(lines.items()):
            if when == "always":
                continue
            pairs = {(action, pattern if pattern == "*" else something(pattern)) for action, pattern in pairs}
            asked = {action for action, _ in pairs}, {resource for _, resource in pairs}
            say(simulated(documents, *asked, context_of(when)) >= pairs, f"{who} {' '.join(sorted(asked[0]))} where {when[:70]}")
            # One value that is meant and one that is not: all of them must be.
            foreign = context_of(when, lambda values: [*values, "900"] if values == ["300"] else [*values, "ELSEWHERE#x"])
            left = simulated(documents, *asked, foreign) & pairs
            say(not left, f"{who} {' '.join(sorted(asked[0]))} elsewhere is refused")
        for when, pairs in sorted(forbidden.get(who, {}).items()):
            asked = {action for action, _ in pairs}, {something(pattern) for _, pattern in pairs}
            left = simulated(documents, *asked, context_of(when))
            say(not left, f"{who} {' '.join(sorted(asked[0]))} is refused where {when[:70]}")


def smoke(stack):
    say(stack.status.endswith("_COMPLETE") and "ROLLBACK" not in stack.status, f"the stack is {stack.status}")
    for name, resource in sorted(stack.resources.items()):
        if resource["ResourceType"] == "AWS::Lambda::Function":
            told = aws("lambda", "get-function-configuration", "--function-name", stack.id(name))
            built = told.get("Architectures", ["x86_64"])[0]
            say(built == stack.parameters.get("Architecture", built), f"{name} is for {built}")
    # The tick makes the table's first item: it was started, reads its queue, and writes an encrypted table.
    table = stack.parameters.get("RestoredTable") or stack.id("WorkTable")
    key = json.dumps({"pk": {"S": "STORE"}, "sk": {"S": "SECRET"}})
    asked = ("dynamodb", "get-item", "--table-name", table, "--key", key, "--projection-expression", "pk")
    until = time.monotonic() + PATIENCE_SECONDS
    while not (opened := "Item" in aws(*asked)) and time.monotonic() < until:
        time.sleep(5)
    say(opened, "a tick has opened the table")
    logs = stack.id("MatchLogs")
    told = []
    while not told and time.monotonic() < until:
        since = str(int((time.time() - 900) * 1000))
        told = aws("logs", "filter-log-events", "--log-group-name", logs, "--start-time", since, "--max-items", "5")["events"]
        if not told:
            time.sleep(5)
    say(bool(told), f"{logs} tells of the last quarter of an hour")
    alarm = stack.id("DeadLettersAlarm")
    was = aws("cloudwatch", "describe-alarms", "--alarm-names", alarm)["MetricAlarms"][0]["StateValue"]
    aws("cloudwatch", "set-alarm-state", "--alarm-name", alarm, "--state-value", "ALARM", "--state-reason", "infra/check.py")
    raised = aws("cloudwatch", "describe-alarms", "--alarm-names", alarm)["MetricAlarms"][0]["StateValue"]
    aws("cloudwatch", "set-alarm-state", "--alarm-name", alarm, "--state-value", was, "--state-reason", "infra/check.py")
    say(raised == "ALARM", "an alarm was raised and put back: have the receivers of alarms got it?")


def main(arguments):
    parts = {"rights": rights, "smoke": smoke}
    if not arguments or any(one not in parts for one in arguments[1:]):
        sys.exit(__doc__.strip())
    stack = Stack(arguments[0])
    for part in arguments[1:] or parts:
        parts[part](stack)
    print("Next: hardmatch doctor --stack", stack.name, "shows that the functions get tokens." if not bad else "")
    sys.exit(1 if bad else 0)


main(sys.argv[1:])
