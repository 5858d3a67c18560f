"""Money that comes back: cancelled, asked for by a recall, returned in part; returns.md explains it."""

import time

from gateway import Refused, demo, fresh, order


def undo(gateway, uetr, reason, recall_case):
    """Cancels what is not accepted and recalls what is settled; says which it was."""
    try:
        gateway.ask("POST", f"/v1/transfers/{uetr}/cancel", {"reason": reason})
        return "cancelled"
    except Refused as refused:
        if refused.code != "STATE_FORBIDS":
            raise
    asked = {"case": recall_case, "reason": reason}
    gateway.ask("POST", f"/v1/transfers/{uetr}/recall", asked)
    return "recalled"


def answer_recalls(gateway, decide):
    """The creditor agent's work queue: every open recall gets an answer."""
    for recall in gateway.ask("GET", "/v1/recalls?open=true"):
        if recall["direction"] != "incoming":
            continue
        path = f"/v1/transfers/{recall['uetr']}/recalls/{recall['case']}/answer"
        gateway.ask("POST", path, decide(recall))


def main():
    hong_kong, philippines = demo("HK"), demo("PH")
    early, late, case, back = fresh(), fresh(), fresh(), fresh()
    # The demonstration's creditor agent leaves this amount undecided.
    hong_kong.ask("POST", "/v1/transfers", order("4000.33", uetr=early), key=early)
    print(f"early     {undo(hong_kong, early, 'CUST', fresh())}")
    hong_kong.ask("POST", "/v1/transfers", order(uetr=late), key=late)
    philippines.reaches(late, {"CREDITED"})
    hong_kong.reaches(late, {"CREDITED"})
    print(f"late      {undo(hong_kong, late, 'CUST', case)}")

    def decide(recall):
        if recall["case"] != case:
            return {"answer": "rejected", "reason": "CUST"}
        amount = {"amount": "1500.00", "currency": "PHP"}
        return {"answer": "accepted", "return_uetr": back, "return": {"amount": amount}}

    while hong_kong.ask("GET", f"/v1/transfers/{late}/recalls")[0]["status"] == "open":
        answer_recalls(philippines, decide)
        time.sleep(0.2)
    returned = hong_kong.reaches(back)
    amount = returned["interbank_settlement_amount"]
    assert returned["return_of"] == late
    print(f"returned  {amount['currency']} {amount['amount']} of {late}")


if __name__ == "__main__":
    main()
