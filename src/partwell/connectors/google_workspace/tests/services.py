"""The log, devices, data transfers, Gmail and licences of a workspace, as its model answers for them."""

from __future__ import annotations

import json
from copy import deepcopy
from itertools import count
from typing import Any

import httpx

from partwell.connectors.google_workspace.tests.wording import at, failure, missing
from partwell.connectors.google_workspace.tests.workspace import Workspace

_numbers = count(1)
Answer = httpx.Response


class Services:
    """What the model answers beside the directory."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def page(self, request: httpx.Request, name: str, kind: str, items: list[Any]) -> Answer:
        params = request.url.params
        size = min(int(params.get("maxResults", self.workspace.page_size)), self.workspace.page_size)
        start = int(params.get("pageToken", "0"))
        body: dict[str, Any] = {"kind": kind}
        if items:
            body[name] = deepcopy(items[start : start + size])
        if start + size < len(items):
            body["nextPageToken"] = str(start + size)
        return Answer(200, json=body)

    # -- the log, devices, transfers ------------------------------------------------------------------

    def read_log(self, request: httpx.Request) -> Answer:
        params = request.url.params
        field, _, value = params["filters"].partition("==")
        assert field == "USER_EMAIL"
        found = [
            each
            for each in reversed(self.workspace.log)
            if self.workspace.log_ignores_filters
            or (each["events"][0]["name"], each["events"][0]["parameters"][0]["value"])
            == (params["eventName"], value)
        ]
        return self.page(request, "items", "admin#reports#activities", found)

    def list_devices(self, request: httpx.Request, kind: str) -> Answer:
        field, _, value = request.url.params["query"].partition(":")
        if kind == "chromeos":
            assert field == "user"
            return self.page(
                request, "chromeosdevices", "admin#directory#chromeosdevices", self.workspace.chrome
            )
        assert field == "email"
        # The search matches parts, too: `email:ana@` finds `diana@`.
        found = [d for d in self.workspace.mobile.values() if any(value in mail for mail in d["email"])]
        return self.page(request, "mobiledevices", "admin#directory#mobiledevices", found)

    def read_device(self, request: httpx.Request, device_id: str) -> Answer:
        device = self.workspace.mobile.get(device_id)
        return Answer(200, json=device) if device else missing("resourceId")

    def act_on_device(self, request: httpx.Request, device_id: str) -> Answer:
        action = json.loads(request.content)["action"]
        words = {"admin_account_wipe": "ACCOUNT_WIPING", "admin_remote_wipe": "WIPING", "block": "BLOCKED"}
        self.workspace.mobile[device_id]["status"] = words[action]
        return Answer(204)

    def list_transfers(self, request: httpx.Request) -> Answer:
        params = request.url.params
        found = [
            each
            for each in self.workspace.transfers.values()
            if all(each[name] == params[name] for name in ("oldOwnerUserId", "newOwnerUserId"))
        ]
        return self.page(request, "dataTransfers", "admin#datatransfer#dataTransfersList", found)

    def read_transfer(self, request: httpx.Request, number: str) -> Answer:
        found = self.workspace.transfers.get(number)
        return Answer(200, json=found) if found else missing("dataTransferId")

    def begin_transfer(self, request: httpx.Request) -> Answer:
        number = f"AKrEtI{next(_numbers)}"
        self.workspace.transfers[number] = {
            "kind": "admin#datatransfer#DataTransfer",
            "id": number,
            "requestTime": at(self.workspace.now),
            "overallTransferStatusCode": "inProgress",
            **json.loads(request.content),
        }
        return Answer(200, json=self.workspace.transfers[number])

    # -- gmail and licences ---------------------------------------------------------------------------

    def delegates(self, request: httpx.Request, login: str) -> Answer:
        held = self.workspace.delegates.setdefault(login, {})
        if request.method == "POST":
            held[json.loads(request.content)["delegateEmail"]] = "accepted"
            return Answer(200, json=json.loads(request.content) | {"verificationStatus": "accepted"})
        rows = [{"delegateEmail": who, "verificationStatus": status} for who, status in held.items()]
        return Answer(200, json={"delegates": rows} if rows else {})

    def delegate(self, request: httpx.Request, login: str, who: str) -> Answer:
        held = self.workspace.delegates.get(login, {})
        if who not in held:
            return failure(404, "notFound", "Requested entity was not found.")
        if request.method == "DELETE":
            del held[who]
            return Answer(204)
        return Answer(200, json={"delegateEmail": who, "verificationStatus": held[who]})

    def out_of_office(self, request: httpx.Request, login: str) -> Answer:
        if request.method == "PUT":
            self.workspace.vacation[login] = json.loads(request.content)
        return Answer(200, json=self.workspace.vacation.get(login, {"enableAutoReply": False}))

    def forwards(self, request: httpx.Request, login: str) -> Answer:
        held = self.workspace.forwarding.get(login, [])
        rows = [{"forwardingEmail": to, "verificationStatus": "accepted"} for to in held]
        return Answer(200, json={"forwardingAddresses": rows} if rows else {})

    def forward(self, request: httpx.Request, login: str, to: str) -> Answer:
        held = self.workspace.forwarding.get(login, [])
        if to not in held:
            return failure(404, "notFound", "Requested entity was not found.")
        held.remove(to)
        return Answer(204)

    def licence(self, request: httpx.Request, product: str, sku: str, login: str) -> Answer:
        key = (f"{product}/{sku}", login)
        if key not in self.workspace.licences:
            return failure(404, "notFound", "User does not have a license for specified sku and product")
        if request.method == "DELETE":
            self.workspace.licences.remove(key)
            return Answer(200, json={})
        body = {"kind": "licensing#licenseAssignment", "productId": product, "skuId": sku, "userId": login}
        return Answer(200, json=body)

    def give_licence(self, request: httpx.Request, product: str, sku: str) -> Answer:
        login = json.loads(request.content)["userId"]
        self.workspace.licences.add((f"{product}/{sku}", login))
        body = {"kind": "licensing#licenseAssignment", "productId": product, "skuId": sku, "userId": login}
        return Answer(200, json=body)
