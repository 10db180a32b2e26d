"""What has an address and is no page, with the reason; an address that nobody visits has to be here."""

from __future__ import annotations

BUTTON = "a button's form goes there; what answers is another page, or this one's refusal on the page before"
PART = "a part of a page, which htmx puts into the page that is visited"
FILE = "a file to keep, not a page"
PROBE = "answers to machines that watch over the installation"
CLOSED = "there is no such page here: the address is not found"

NO_PAGE = {
    "healthz": PROBE,
    "readyz": PROBE,
    "api": "answers in JSON; programs read it",
    "ssf_configuration": "answers in JSON; receivers of signals read it",
    "ssf_keys": "answers in JSON; receivers of signals read it",
    "web:home_live": PART,
    "web:journey_live": PART,
    "web:access_live": PART,
    "web:system_test_live": PART,
    "web:receiver_live": PART,
    "web:cut_live": PART,
    "web:person_map_live": PART,
    "web:client_map_live": PART,
    "web:person_map_take": BUTTON,
    "web:client_map_take": BUTTON,
    "web:cut_approve": BUTTON,
    "web:cut_fire": BUTTON,
    "web:cut_cancel": BUTTON,
    "web:cut_stop": BUTTON,
    "web:cut_resume": BUTTON,
    "web:cut_review": BUTTON,
    "web:ghosts_sweep": BUTTON,
    "web:rotation_leave": BUTTON,
    "web:notice_decline": BUTTON,
    "web:step_undo": BUTTON,
    "web:step_claim": BUTTON,
    "web:guest_revoke": BUTTON,
    "web:role_revoke": BUTTON,
    "web:token_revoke": BUTTON,
    "web:access_make": BUTTON,
    "web:access_verify": BUTTON,
    "web:access_link": BUTTON,
    "web:system_test": BUTTON,
    "web:receiver_test": BUTTON,
    "web:signal_again": BUTTON,
    "web:signing_key_rotate": BUTTON,
    "web:credentials_export": FILE,
    "web:step_file": FILE,
    "web:people_export": FILE,
    "web:clients_export": FILE,
    "web:contracts_export": FILE,
    "web:evidence_export": FILE,
    "mfa_download_recovery_codes": FILE,
    "account_signup": CLOSED,
    "account_email": CLOSED,
    "account_email_verification_sent": CLOSED,
    "account_confirm_email": CLOSED,
    "account_set_password": CLOSED,
    "account_confirm_login_code": CLOSED,
}
