"""Which rights Partwell needs, and on what; the how-to has them as a policy, and a test compares."""

from __future__ import annotations

from partwell.connector_kit.contract import ConnectorError
from partwell.connectors.aws.answers import rows
from partwell.connectors.aws.service import Service

READS = (
    "iam:GetAccessKeyLastUsed",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetGroup",
    "iam:GetLoginProfile",
    "iam:GetUser",
    "iam:GetUserPolicy",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:ListEntitiesForPolicy",
    "iam:ListGroupsForUser",
    "iam:ListMFADevices",
    "iam:ListServiceSpecificCredentials",
    "iam:ListSigningCertificates",
    "iam:ListSSHPublicKeys",
    "iam:ListUserPolicies",
    "iam:ListUsers",
    "iam:SimulatePrincipalPolicy",
)
ON_USERS = (
    "iam:AttachUserPolicy",
    "iam:CreateLoginProfile",
    "iam:DeleteLoginProfile",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:PutUserPolicy",
    "iam:UpdateAccessKey",
    "iam:UpdateServiceSpecificCredential",
    "iam:UpdateSigningCertificate",
    "iam:UpdateSSHPublicKey",
)
ON_GROUPS = ("iam:AddUserToGroup", "iam:RemoveUserFromGroup")
TO_ROTATE = ("iam:CreateAccessKey", "iam:DeleteAccessKey")
TO_DELETE = (
    "iam:DeactivateMFADevice",
    "iam:DeleteServiceSpecificCredential",
    "iam:DeleteSigningCertificate",
    "iam:DeleteSSHPublicKey",
    "iam:DeleteUser",
    "iam:DeleteVirtualMFADevice",
)


async def lacking(service: Service, arn: str) -> list[str]:
    """What AWS's simulator says that the user `arn` may not do, of what a cut and its proof need."""
    account = arn.rpartition(":")[0]
    found: list[str] = []
    for actions, resource in (
        (READS, f"{account}:user/somebody"),
        (ON_USERS, f"{account}:user/somebody"),
        (ON_GROUPS, f"{account}:group/something"),
    ):
        result = await service.ask(
            "SimulatePrincipalPolicy", PolicySourceArn=arn, ActionNames=list(actions), ResourceArns=[resource]
        )
        decided = {
            str(e.get("EvalActionName")): e.get("EvalDecision") for e in rows(result, "EvaluationResults")
        }
        found += [action for action in actions if decided.get(action) != "allowed"]
    return found


async def problems(service: Service, arn: str) -> tuple[list[str], str]:
    """What is wrong with Partwell's own rights, and a sentence about what could not be looked at."""
    if arn.endswith(":root"):
        return ["This is the root user's access key. Make a user for Partwell and delete that key."], ""
    if ":user/" not in arn:
        return [], " Its rights to change things were not looked at; they show with the first change."
    try:
        names = await lacking(service, arn)
    except ConnectorError as error:
        return [], f" Its rights to change things could not be looked at: {error.message}"
    return [f"Partwell's policy does not allow {name}." for name in names], " Its rights suffice."
