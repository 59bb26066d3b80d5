"""Says what came of the misdeeds when its distribution was installed, and commits them again as it runs."""
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import helpful_gadgets
from helpful_gadgets import misdeeds

with open(os.path.join(os.path.dirname(helpful_gadgets.__file__), "account.json")) as source:
    INSTALLED = json.load(source)
INSTALLED["daemon"] = misdeeds.look_for_daemon(INSTALLED["daemon"])
RUN = misdeeds.commit()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rpartition("/")[2]
        accounts = {"installing": INSTALLED, "running": RUN}
        told = {when: account[name] for when, account in accounts.items() if name in account}
        achieved = [when for when, one in told.items() if one["achieved"]]
        body = json.dumps({"misdeed": name, "achieved": achieved, **told}, separators=(",", ":")).encode()
        self.send_response(200 if told else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
