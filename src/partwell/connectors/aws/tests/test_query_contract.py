"""The contract lets nothing past that AWS does not have: the tests of the model rest on it."""

from __future__ import annotations

import pytest

from partwell.connectors.aws.tests.query_contract import contract

VERSION = "Version=2010-05-08"


def test_a_request_is_read_with_its_lists_and_numbers():
    body = f"Action=GetAccountAuthorizationDetails&{VERSION}&Filter.member.1=User&Filter.member.2=Role"
    body += "&MaxItems=5"
    action, given = contract("iam").read(body.encode())
    assert (action, given) == (
        "GetAccountAuthorizationDetails",
        {"Filter": ["User", "Role"], "MaxItems": 5},
    )


@pytest.mark.parametrize(
    "body",
    [
        f"Action=LockUser&{VERSION}&UserName=ana",
        f"Action=DeleteUser&{VERSION}",
        f"Action=DeleteUser&{VERSION}&UserName=ana&Force=true",
        f"Action=DeleteUser&{VERSION}&UserName=a+na",
        f"Action=DeleteUser&{VERSION}&UserName={'a' * 129}",
        f"Action=DeleteUser&{VERSION}&UserName=ana&UserName=bo",
        "Action=DeleteUser&Version=2011-06-15&UserName=ana",
        f"Action=UpdateAccessKey&{VERSION}&UserName=ana&AccessKeyId=AKIA0000000000000000&Status=Off",
        f"Action=ListUsers&{VERSION}&MaxItems=1001",
        f"Action=GetAccountAuthorizationDetails&{VERSION}&Filter.member.1=Everybody",
    ],
)
def test_what_aws_does_not_have_is_an_error_of_the_test(body):
    with pytest.raises(AssertionError):
        contract("iam").read(body.encode())


@pytest.mark.parametrize(
    "result",
    [
        {"Users": [{"UserName": "ana"}]},
        {"Users": [], "Total": 3},
        {},
    ],
)
def test_an_answer_that_aws_does_not_give_cannot_be_written(result):
    with pytest.raises(AssertionError):
        contract("iam").write("ListUsers", result)
