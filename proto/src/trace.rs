//! What every party calls the trace of a transfer's life: it follows from the transfer's identity, so that nobody has to be told it; no record holds it.
use ledger_proof::{Digest, item::Item, tree::sha256};
use ledger_types::{NetworkId, ParticipantId, TransferId, Uetr};

/// The metadata key of a W3C trace context.
pub const TRACEPARENT_KEY: &str = "traceparent";

/// Separates this hash from every other.
const DOMAIN: &[u8] = b"causeway trace v1\0";

/// The digest whose first 16 bytes are the trace's id and whose next 8 are its root span's. The UETR
/// alone would do for neither: a restored network tells it anew, and two debtor agents may use one.
#[must_use]
pub fn of_transfer(network: NetworkId, transfer: TransferId) -> Digest {
    let agent = transfer.debtor_agent.0.to_be_bytes();
    sha256(&[DOMAIN, &network.0, &agent, &transfer.uetr.bytes()])
}

/// Which transfer an author's item is about; none for one that is about no transfer.
#[must_use]
pub fn transfer_of(author: ParticipantId, item: &Item) -> Option<TransferId> {
    let named = |debtor_agent: ParticipantId, uetr: Uetr| Some(TransferId { debtor_agent, uetr });
    match item {
        Item::Submit(item) | Item::Return(item) => named(author, item.uetr),
        Item::Recall(item) => named(author, item.uetr),
        Item::Cancel(item) => named(author, item.uetr),
        Item::Resolve(item) => named(author, item.uetr),
        Item::Accept(item) => named(item.debtor_agent, item.uetr),
        Item::Hold(item) => named(item.debtor_agent, item.uetr),
        Item::Reject(item) => named(item.debtor_agent, item.uetr),
        Item::Confirm(item) => named(item.debtor_agent, item.uetr),
        Item::AnswerRecall(item) => named(item.debtor_agent, item.uetr),
        Item::RegisterQuote(_)
        | Item::Fund(_)
        | Item::Withdraw(_)
        | Item::WithdrawPaid(_)
        | Item::WithdrawFailed(_)
        | Item::Admit(_)
        | Item::Suspend(_)
        | Item::AddKey(_)
        | Item::RetireKey(_)
        | Item::OpenAccount(_)
        | Item::SetCap(_)
        | Item::SetCorridor(_)
        | Item::SetFeeSchedule(_)
        | Item::SetScreeningPolicy(_) => None,
    }
}
