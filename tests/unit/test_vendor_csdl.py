"""The check against a vendor's metadata lets through what is in it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vendor_csdl import Contract, read_contract
from tests.vendor_csdl_shapes import Broken

EDMX = """<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
<edmx:DataServices><Schema Namespace="firm" Alias="f" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EnumType Name="state"><Member Name="on" Value="0"/><Member Name="off" Value="1"/></EnumType>
<ComplexType Name="address"><Property Name="value" Type="Edm.String"/></ComplexType>
<EntityType Name="thing"><Property Name="id" Type="Edm.String"/></EntityType>
<EntityType Name="person" BaseType="f.thing">
  <Property Name="name" Type="Edm.String"/><Property Name="mails" Type="Collection(f.address)"/>
  <Property Name="tags" Type="Collection(Edm.String)"/><Property Name="active" Type="Edm.Boolean"/>
  <Property Name="state" Type="f.state" Nullable="false"/>
  <NavigationProperty Name="groups" Type="Collection(f.thing)"/>
  <NavigationProperty Name="keys" Type="Collection(f.thing)" ContainsTarget="true"/>
</EntityType>
<EntityType Name="group" BaseType="f.thing"><Property Name="rule" Type="Edm.String"/></EntityType>
<Action Name="lock" IsBound="true"><Parameter Name="b" Type="f.person"/>
  <Parameter Name="hours" Type="Edm.Int32" Nullable="false"/><ReturnType Type="Edm.Boolean"/></Action>
<EntityContainer Name="C"><EntitySet Name="people" EntityType="firm.person"/></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    path: Path = tmp_path_factory.mktemp("contract") / "firm.xml"
    path.write_text(EDMX)
    return read_contract(path)


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "people", "$filter=name eq 'a' and not (active eq true)&$select=id,name&$top=5", None),
        ("GET", "people", "$filter=tags/any(x:x eq 'o''b') or mails/any(m:startswith(m/value,'a'))", None),
        ("GET", "people", "$filter=state eq 'on'&$expand=groups($select=id,rule)", None),
        ("GET", "people/1/groups", "$select=id,rule", None),
        ("GET", "people/1/groups/firm.group", "", None),
        ("PATCH", "people/1", "", {"active": False, "state": "off", "mails": [{"value": "a"}]}),
        ("POST", "people/1/lock", "", {"hours": 3}),
        ("POST", "people/1/groups/$ref", "", {"@odata.id": "https://x.test/things/2"}),
        ("DELETE", "people/1/groups/2/$ref", "", None),
        ("DELETE", "people/1/keys/2", "", None),
    ],
)
def test_what_the_metadata_knows_is_let_through(contract, method, path, query, body):
    contract.check_request(method, path, query, {}, body)


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "words"),
    [
        ("GET", "persons", "", None, "no entity set"),
        ("GET", "people/1/friends", "", None, "has no 'friends'"),
        ("GET", "people/1/lock", "", None, "not called by GET"),
        ("POST", "people/1/lock", "", {}, "needs ['hours']"),
        ("POST", "people/1/lock", "", {"hours": "3"}, "no Edm.Int32"),
        ("POST", "people/1/lock", "", {"hours": 3, "days": 1}, "no parameter ['days']"),
        ("PATCH", "people/1", "", {"Active": False}, "no property 'Active'"),
        ("PATCH", "people/1", "", {"active": "false"}, "no Edm.Boolean"),
        ("PATCH", "people/1", "", {"state": "paused"}, "no firm.state"),
        ("PATCH", "people/1", "", {"state": None}, "may not be null"),
        ("PATCH", "people/1", "", {"mails": {"value": "a"}}, "not a list"),
        ("PATCH", "people", "", {"active": False}, "PATCH is not for"),
        ("DELETE", "people/1/groups/2", "", None, "DELETE is not for"),
        ("POST", "people/1/groups/$ref", "", {"id": "2"}, "'@odata.id' alone"),
        ("GET", "people", "$select=id,nmae", None, "no property 'nmae'"),
        ("GET", "people", "$expand=name", None, "nothing to expand"),
        ("GET", "people", "$filter=nmae eq 'a'", None, "no property 'nmae'"),
        ("GET", "people", "$filter=active eq 'true'", None, "compares Edm.Boolean"),
        ("GET", "people", "$filter=tags eq 'a'", None, "as if it were one value"),
        ("GET", "people", "$filter=name is 'a'", None, "no operator"),
        ("GET", "people", "$filter=name eq 'a' or", None, "ends too soon"),
        ("GET", "people", "$filter=name eq 'a''", None, "cannot be read"),
        ("GET", "people", "$filter=state eq 'paused'", None, "no firm.state"),
        ("GET", "people", "$limit=5", None, "unknown options"),
        ("GET", "people", "$count=true", None, "ConsistencyLevel"),
        ("GET", "people/1", "$top=5", None, "a single thing"),
        ("GET", "people/1/groups/firm.person/x/name/y", "", None, "has no 'y'"),
    ],
)
def test_what_it_does_not_know_is_refused(contract, method, path, query, body, words):
    with pytest.raises(Broken) as caught:
        contract.check_request(method, path, query, {}, body)
    assert words in str(caught.value)


def test_an_answer_has_to_be_of_the_type_that_the_path_gives(contract):
    people = contract.resolve("people")
    contract.check_answer(people, {"value": [{"id": "1", "state": "on"}], "@odata.nextLink": "x"})
    contract.check_answer(contract.resolve("people/1/lock"), {"value": True})
    contract.check_answer(
        contract.resolve("people/1/groups"), {"value": [{"@odata.type": "#firm.group", "rule": "r"}]}
    )
    for wrong in ({"value": [{"id": 1}]}, {"value": {}}, {"values": []}, {"value": [], "more": 1}):
        with pytest.raises(Broken):
            contract.check_answer(people, wrong)
    with pytest.raises(Broken):
        contract.check_answer(people, {"value": [{"@odata.type": "#firm.group"}]})
