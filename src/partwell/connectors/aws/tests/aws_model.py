"""IAM and STS as far as the connector speaks with them: requests are read and answers written by AWS's own
published contract, signatures are checked, and inactive keys are refused as AWS refuses them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from partwell.connectors.aws.policies import DENY_ALL, END_SESSIONS, is_deny_all, sessions_ended_before
from partwell.connectors.aws.tests.account import ACCOUNT, CREATED, AwsAccount, Made, Member
from partwell.connectors.aws.tests.query_contract import contract

LISTS = {
    "AccessKey": ("access_key", "AccessKeyMetadata", "AccessKeyId", "CreateDate"),
    "SSHPublicKey": ("ssh_key", "SSHPublicKeys", "SSHPublicKeyId", "UploadDate"),
    "ServiceSpecificCredential": (
        "service_credential",
        "ServiceSpecificCredentials",
        "ServiceSpecificCredentialId",
        "CreateDate",
    ),
    "SigningCertificate": ("certificate", "Certificates", "CertificateId", "UploadDate"),
}


class AwsError(Exception):
    """An error of AWS's."""

    def __init__(self, code: str, status: int = 400, message: str = "Said by the model.") -> None:
        super().__init__(message)
        self.code, self.status, self.message = code, status, message


class AwsModel:
    """Answers the requests of one account. `lag` takes writes and shows them only after `catch_up`."""

    def __init__(self, account: AwsAccount) -> None:
        self.account = account
        self.asked: list[str] = []
        self.page_size = 100
        self.lag = False
        self.forbidden: set[str] = set()
        self.refuses_old_keys = True
        self._waiting: list[tuple[str, dict[str, Any]]] = []
        self._keys_made = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path, request.url.query) == ("POST", "/", b"")
        assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
        name = request.headers["host"].partition(".")[0]
        action, given = contract(name).read(request.content)
        self.asked.append(action)
        headers = {"x-amzn-requestid": f"request-{len(self.asked)}", "content-type": "text/xml"}
        try:
            caller = self._signed_by(request, name)
            if action in self.forbidden:
                raise AwsError("AccessDenied", 403, f"User: {caller.arn} is not authorized: iam:{action}")
            if action == "GetCallerIdentity":
                result = {"UserId": caller.id, "Account": ACCOUNT, "Arn": caller.arn}
            elif self.lag and not action.startswith(("Get", "List", "Simulate")):
                self._waiting.append((action, given))
                result = {}
            else:
                result = self._carry_out(action, given)
        except AwsError as error:
            said = f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            body = f"<ErrorResponse><Error>{said}</Error><RequestId>r</RequestId></ErrorResponse>"
            return httpx.Response(error.status, headers=headers, content=body.encode())
        return httpx.Response(200, headers=headers, content=contract(name).write(action, result))

    def catch_up(self) -> None:
        """Show what was written."""
        self.lag = False
        for action, given in self._waiting:
            self._carry_out(action, given)
        self._waiting.clear()

    def _signed_by(self, request: httpx.Request, service: str) -> Member:
        scope, _, rest = request.headers["authorization"].partition("Credential=")[2].partition(", ")
        key_id, _, region, named, _ = scope.split("/")
        assert named == service, named
        found = self.account.owner_of(key_id)
        if found is None or (found[1].status != "Active" and self.refuses_old_keys):
            raise AwsError(
                "InvalidClientTokenId", 403, "The security token included in the request is invalid."
            )
        auth = SigV4Auth(Credentials(key_id, found[1].secret), service, region)
        names = rest.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"host", "x-amz-date", "content-type"} <= set(names)
        headers = {name: request.headers[name] for name in names}
        again = AWSRequest("POST", f"https://{request.headers['host']}/", headers, request.content)
        again.context["timestamp"] = request.headers["x-amz-date"]
        signature = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
        if signature != rest.partition("Signature=")[2]:
            raise AwsError("SignatureDoesNotMatch", 403, f"The canonical string was secret-canary {key_id}")
        return found[0]

    # -- what the actions do ------------------------------------------------------------------------------

    def _carry_out(self, action: str, given: dict[str, Any]) -> dict[str, Any]:
        for suffix, (kind, list_name, id_name, created) in LISTS.items():
            if action == f"List{suffix}s":
                made = [
                    _shown(self._user(given), e, id_name, created) for e in self._user(given).of_kind(kind)
                ]
                return self._paged(list_name, made, given)
            if action in (f"Update{suffix}", f"Delete{suffix}"):
                user = self._user(given)
                one = _one([e for e in user.of_kind(kind) if e.id == given[id_name]])
                if action.startswith("Update"):
                    one.status = given["Status"]
                else:
                    user.made.remove(one)
                return {}
        found: dict[str, Any] = getattr(self, action)(given) or {}
        return found

    def GetUser(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"User": _described(self._user(given), with_tags=True)}

    def ListUsers(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._paged("Users", [_described(each) for each in self.account.users.values()], given)

    def GetAccountAuthorizationDetails(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["Filter"] == ["Role"]:
            roles = [
                {
                    "RoleName": n,
                    "Arn": f"arn:aws:iam::{ACCOUNT}:role/{n}",
                    "AssumeRolePolicyDocument": quote(d),
                }
                for n, d in self.account.roles.items()
            ]
            return self._paged("RoleDetailList", roles, given)
        users = []
        for user in self.account.users.values():
            details = _described(user, with_tags=True)
            details.pop("PasswordLastUsed", None)
            inline = [{"PolicyName": n, "PolicyDocument": quote(d)} for n, d in user.inline.items()]
            users.append({**details, "UserPolicyList": inline, "GroupList": user.groups})
        return self._paged("UserDetailList", users, given)

    def GetLoginProfile(self, given: dict[str, Any]) -> dict[str, Any]:
        user = self._user(given)
        if not user.has_password:
            raise AwsError("NoSuchEntity", 404)
        return {"LoginProfile": {"UserName": user.name, "CreateDate": CREATED}}

    def CreateLoginProfile(self, given: dict[str, Any]) -> dict[str, Any]:
        assert given["PasswordResetRequired"] is True
        self._user(given).has_password = True
        return {"LoginProfile": {"UserName": given["UserName"], "CreateDate": CREATED}}

    def DeleteLoginProfile(self, given: dict[str, Any]) -> None:
        self.GetLoginProfile(given)
        self._user(given).has_password = False

    def CreateAccessKey(self, given: dict[str, Any]) -> dict[str, Any]:
        user = self._user(given)
        if len(user.of_kind("access_key")) > 1:
            raise AwsError("LimitExceeded", 409, "Cannot exceed quota for AccessKeysPerUser: 2")
        self._keys_made += 1
        made = Made(
            "access_key", f"AKIANEW{self._keys_made:013}", secret=f"new-secret-canary-{self._keys_made:022}"
        )
        user.made.append(made)
        shown = {"UserName": user.name, "AccessKeyId": made.id, "Status": "Active"}
        return {"AccessKey": {**shown, "SecretAccessKey": made.secret, "CreateDate": CREATED}}

    def GetAccessKeyLastUsed(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self.account.owner_of(given["AccessKeyId"])
        used = found[1].last_used_at if found else None
        return {"AccessKeyLastUsed": {"LastUsedDate": used, "ServiceName": "s3", "Region": "us-east-1"}}

    def ListMFADevices(self, given: dict[str, Any]) -> dict[str, Any]:
        user = self._user(given)
        devices = [{"UserName": user.name, "SerialNumber": s, "EnableDate": CREATED} for s in user.devices]
        return self._paged("MFADevices", devices, given)

    def DeactivateMFADevice(self, given: dict[str, Any]) -> None:
        self._user(given).devices.remove(given["SerialNumber"])

    def DeleteVirtualMFADevice(self, given: dict[str, Any]) -> None:
        assert all(given["SerialNumber"] not in user.devices for user in self.account.users.values())

    def ListGroupsForUser(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._paged("Groups", [_group(each) for each in self._user(given).groups], given)

    def GetGroup(self, given: dict[str, Any]) -> dict[str, Any]:
        inside = [u for u in self.account.users.values() if given["GroupName"] in u.groups]
        page = self._paged("Users", [_described(each) for each in inside], given)
        return {"Group": _group(given["GroupName"]), **page}

    def AddUserToGroup(self, given: dict[str, Any]) -> None:
        if given["GroupName"] not in self.account.groups:
            raise AwsError("NoSuchEntity", 404)
        self._user(given).groups.append(given["GroupName"])

    def RemoveUserFromGroup(self, given: dict[str, Any]) -> None:
        _take(self._user(given).groups, given["GroupName"])

    def ListAttachedUserPolicies(self, given: dict[str, Any]) -> dict[str, Any]:
        held = [{"PolicyArn": a, "PolicyName": a.rpartition("/")[2]} for a in self._user(given).attached]
        return self._paged("AttachedPolicies", held, given)

    def AttachUserPolicy(self, given: dict[str, Any]) -> None:
        self._user(given).attached.append(given["PolicyArn"])

    def DetachUserPolicy(self, given: dict[str, Any]) -> None:
        _take(self._user(given).attached, given["PolicyArn"])

    def ListEntitiesForPolicy(self, given: dict[str, Any]) -> dict[str, Any]:
        arn = given["PolicyArn"]
        users = [u for u in self.account.users.values() if arn in u.attached]
        groups = sorted(self.account.attached_to_groups.get(arn, ()))
        return {
            "PolicyUsers": [{"UserName": u.name, "UserId": u.id} for u in users],
            "PolicyGroups": [{"GroupName": g, "GroupId": f"AGPA{'0' * 12}{len(g):04}"} for g in groups],
            "PolicyRoles": [],
            "IsTruncated": False,
        }

    def ListUserPolicies(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._paged("PolicyNames", list(self._user(given).inline), given)

    def GetUserPolicy(self, given: dict[str, Any]) -> dict[str, Any]:
        user, name = self._user(given), given["PolicyName"]
        if name not in user.inline:
            raise AwsError("NoSuchEntity", 404)
        return {"UserName": user.name, "PolicyName": name, "PolicyDocument": quote(user.inline[name])}

    def PutUserPolicy(self, given: dict[str, Any]) -> None:
        user = self._user(given)
        inline = {**user.inline, given["PolicyName"]: given["PolicyDocument"]}
        if sum(len("".join(each.split())) for each in inline.values()) > 2048:
            raise AwsError("LimitExceeded", 409, "Maximum policy size of 2048 bytes exceeded")
        assert json.loads(given["PolicyDocument"])["Version"] == "2012-10-17"
        user.inline = inline

    def DeleteUserPolicy(self, given: dict[str, Any]) -> None:
        self.GetUserPolicy(given)
        del self._user(given).inline[given["PolicyName"]]

    def DeleteUser(self, given: dict[str, Any]) -> None:
        user = self._user(given)
        if user.has_password or user.made or user.groups or user.attached or user.inline or user.devices:
            raise AwsError("DeleteConflict", 409)
        del self.account.users[user.name]

    def SimulatePrincipalPolicy(self, given: dict[str, Any]) -> dict[str, Any]:
        user = _one([u for u in self.account.users.values() if u.arn == given["PolicySourceArn"]])
        is_denied = is_deny_all(user.inline.get(DENY_ALL, ""))
        before = sessions_ended_before(user.inline.get(END_SESSIONS, ""))
        for entry in given.get("ContextEntries", []):
            (opened,) = entry["ContextKeyValues"]
            is_denied = is_denied or (before is not None and datetime.fromisoformat(opened) < before)
        results = []
        for action in given["ActionNames"]:
            own = "implicitDeny" if action.removeprefix("iam:") in self.forbidden else "allowed"
            decision = "explicitDeny" if is_denied else own
            results.append({"EvalActionName": action, "EvalDecision": decision})
        return {"EvaluationResults": results, "IsTruncated": False}

    # -- how they are shown -------------------------------------------------------------------------------

    def _user(self, given: dict[str, Any]) -> Member:
        if given["UserName"] not in self.account.users:
            raise AwsError("NoSuchEntity", 404, f"The user with name {given['UserName']} cannot be found.")
        return self.account.users[given["UserName"]]

    def _paged(self, name: str, things: list[Any], given: dict[str, Any]) -> dict[str, Any]:
        begin = int(given.get("Marker", 0))
        end = begin + min(self.page_size, given.get("MaxItems", 100))
        more = {"Marker": str(end)} if end < len(things) else {}
        return {name: things[begin:end], "IsTruncated": bool(more), **more}


def _described(user: Member, *, with_tags: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": CREATED,
        "PasswordLastUsed": user.password_last_used_at,
    }
    if with_tags and user.tags:
        shown["Tags"] = [{"Key": key, "Value": value} for key, value in user.tags.items()]
    if with_tags and user.boundary:
        shown["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": user.boundary,
        }
    return shown


def _shown(user: Member, made: Made, id_name: str, created: str) -> dict[str, Any]:
    shown = {"UserName": user.name, id_name: made.id, "Status": made.status, created: CREATED}
    if made.kind == "service_credential":
        shown |= {"ServiceName": made.service, "ServiceUserName": f"{user.name}-at-{ACCOUNT}"}
    if made.kind == "certificate":
        shown |= {"CertificateBody": "-----BEGIN CERTIFICATE-----"}
    return shown


def _group(name: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:group/{name}"
    return {
        "Path": "/",
        "GroupName": name,
        "GroupId": "AGPA0000000000000000",
        "Arn": arn,
        "CreateDate": CREATED,
    }


def _one(found: list[Any]) -> Any:
    if len(found) != 1:
        raise AwsError("NoSuchEntity", 404)
    return found[0]


def _take(things: list[str], thing: str) -> None:
    if thing not in things:
        raise AwsError("NoSuchEntity", 404)
    things.remove(thing)
