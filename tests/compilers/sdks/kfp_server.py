"""Run by .venv-pipelines: answers as Kubeflow Pipelines' API server, made of its own client's definitions.

Runs are checked by kfp_server_api's models and pipeline_spec.proto (an unknown field, a wrong type, a missing
parameter is a 400), kept and found by name. They are not run: ``POST /emulator/tasks`` says where their tasks
are. Prints its address.
"""

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

RUNS = "/apis/v2beta1/runs"
TOKEN = sys.argv[1]
runs, faults = {}, []


def check(body):
    fields = kfp_server_api.V2beta1Run.openapi_types
    if unknown := set(body) - set(fields):
        raise ValueError(f"unknown fields: {sorted(unknown)}")
    config = body["runtime_config"]
    if unknown := set(config) - set(kfp_server_api.V2beta1RuntimeConfig.openapi_types):
        raise ValueError(f"unknown fields: {sorted(unknown)}")
    whole = body["pipeline_spec"]
    spec = whole.get("pipeline_spec", whole)
    message = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    platforms = whole.get("platform_spec", {}).get("platforms", {})
    for executor in platforms.get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {}).values():
        json_format.ParseDict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    wanted = message.root.input_definitions.parameters
    if unknown := set(config["parameters"]) - set(wanted):
        raise ValueError(f"unknown parameters: {sorted(unknown)}")
    if missing := {n for n, p in wanted.items() if not p.is_optional} - set(config["parameters"]):
        raise ValueError(f"missing parameters: {sorted(missing)}")
    if not isinstance(body["display_name"], str):
        raise TypeError("display_name is no text")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/emulator/faults":
            faults.extend(body["statuses"])
            return self.send(200, {})
        if self.path == "/emulator/tasks":
            states = kfp_server_api.V2beta1RuntimeState.allowable_values
            assert all(task["state"] in states for task in body["tasks"])
            fields = kfp_server_api.V2beta1PipelineTaskDetail.openapi_types
            assert all(set(task) <= set(fields) for task in body["tasks"])
            runs[body["run"]]["run_details"] = {"task_details": body["tasks"]}
            return self.send(200, {})
        if self.refused() or self.path != RUNS:
            return None
        try:
            check(body)
        except Exception as error:
            return self.send(400, {"error": str(error), "code": 3})
        run = {**body, "run_id": str(uuid.uuid4()), "state": "PENDING"}
        runs[run["run_id"]] = run
        return self.send(200, run)

    def do_GET(self):
        if self.refused():
            return
        parts = urlsplit(self.path)
        if parts.path == RUNS:
            (term,) = json.loads(parse_qs(parts.query)["filter"][0])["predicates"]
            assert (term["operation"], term["key"]) == ("EQUALS", "display_name")
            found = [run for run in runs.values() if run["display_name"] == term["string_value"]]
            self.send(200, {"runs": found, "total_size": len(found)} if found else {})
        elif (run := runs.get(parts.path.removeprefix(RUNS + "/"))) is not None:
            self.send(200, run)
        else:
            self.send(404, {"error": "ResourceNotFoundError: Run not found.", "code": 5})

    def refused(self):
        if faults:
            self.send(faults.pop(0), {"error": "asked for"})
            return True
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send(401, {"error": "Unauthenticated", "code": 16})
            return True
        return False

    def send(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
