//! Transfers that this gateway hears of by their first record, with who and whom if the blob is for us; what they come to is decided elsewhere.
use ledger_proof::{
    codec::Field,
    item::ItemKind,
    record::{DebtorDetail, Part, PartyPart, RecordKind, SubmitDetail},
};
use ledger_types::Timestamp;
use proto::convert::RecordEvent;

use super::{Read, unreadable};
use crate::{
    Error,
    app::App,
    decide::at_once,
    payee::reference,
    personal::Personal,
    sealing,
    store::{
        Connection,
        parties::NewParty,
        transfers::{New, transfer_known, transfer_learn},
    },
    transfers::order::parties,
};

/// A transfer that a record tells of.
pub(super) struct Told {
    new: New,
    /// Replicated time of its record.
    at: Timestamp,
    /// Who and whom, or why that cannot be read; none where nothing is for us.
    sealed: Option<Result<Personal, String>>,
    /// Whether there is nothing to weigh about it.
    pub(super) plain: bool,
}

/// The transfers that records tell of, opened: the database is not asked.
pub(super) fn told(app: &App, read: &[Read]) -> Result<Vec<Told>, Error> {
    let mut told = Vec::new();
    for read in read {
        let Some((new, detail)) = submitted(app, read)? else { continue };
        let ours = !new.outgoing && detail.blob_digest != [0; 32];
        let sealed = ours.then(|| opened(app, &read.event, &detail));
        let personal = sealed.as_ref().and_then(|sealed| sealed.as_ref().ok());
        let plain = personal.is_some_and(|personal| at_once::plain(app, &new, personal));
        told.push(Told { new, at: read.event.at, sealed, plain });
    }
    Ok(told)
}

/// Inserts transfers that this gateway hears of for the first time; gives those about which there is
/// nothing to weigh.
pub(super) async fn learn<'t>(
    app: &App,
    connection: &mut Connection,
    told: &'t [Told],
) -> Result<Vec<(&'t New, Personal)>, Error> {
    // What was submitted here is here, unless the store was restored from an older copy.
    let own = told.iter().filter(|told| told.new.outgoing).map(|told| told.new.transfer);
    let known = transfer_known(connection, own.collect()).await.map_err(Error::Store)?;
    let fresh = told.iter().filter(|told| !known.contains(&told.new.transfer));
    let fresh: Vec<&Told> = fresh.collect();
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    let new: Vec<New> = fresh.iter().map(|told| told.new.clone()).collect();
    let (mut parties, mut plain) = (Vec::new(), Vec::new());
    for told in fresh {
        let transfer = told.new.transfer;
        match &told.sealed {
            None => {}
            Some(Ok(personal)) => {
                let of = (transfer.debtor_agent, told.at);
                let known = reference::resolved(app, connection, of, personal.clone()).await;
                let known = known.map_err(Error::Store)?;
                plain.extend(told.plain.then(|| (&told.new, known.clone())));
                parties.push(NewParty::open(transfer, known));
            }
            Some(Err(failure)) => {
                let sealed_error = Some(failure.clone());
                parties.push(NewParty { transfer, personal: None, sealed_error });
            }
        }
    }
    transfer_learn(connection, &new, &parties).await.map_err(Error::Store)?;
    Ok(plain)
}

/// What a record says of a new transfer of ours or to us; none if it says nothing of one.
fn submitted(app: &App, read: &Read) -> Result<Option<(New, SubmitDetail)>, Error> {
    let Read { event, shared: Some(shared), transfer: Some(transfer) } = read else {
        return Ok(None);
    };
    let submits = matches!(event.kind, RecordKind::Item(ItemKind::Submit | ItemKind::Return));
    let outgoing = transfer.debtor_agent == app.me;
    // What a repeated answer says was told before, and comes without its detail.
    let repeated = shared.first_sequence != 0;
    let ours = outgoing || shared.creditor_agent == app.me;
    if !submits || repeated || shared.outcome != 0 || !ours {
        return Ok(None);
    }
    let detail = SubmitDetail::from_bytes(&shared.detail.0).map_err(unreadable(event))?;
    let returns = event.kind == RecordKind::Item(ItemKind::Return);
    let instructed = event
        .part(Part::Debtor)
        .filter(|_| outgoing)
        .and_then(|bytes| PartyPart::from_bytes(bytes).ok())
        .and_then(|part| DebtorDetail::from_bytes(&part.detail.0).ok())
        .map(|debtor| (debtor.instructed_amount, debtor.instructed_currency.to_string()));
    // Nothing of ours is as large; it is left alone, and expires on the ledger.
    let amounts = [Some(shared.amount), instructed.as_ref().map(|(amount, _)| *amount)];
    if amounts.into_iter().flatten().any(|amount| i64::try_from(amount).is_err()) {
        tracing::error!(uetr = %transfer.uetr, "a transfer of more than the store can hold");
        return Ok(None);
    }
    let new = New {
        transfer: *transfer,
        creditor_agent: shared.creditor_agent,
        outgoing,
        return_of: shared.links.first().filter(|_| returns).map(|link| link.uetr),
        corridor: shared.corridor.0,
        status: "QUEUED",
        reason: None,
        refusal: None,
        instructed,
        settlement: (shared.amount, shared.currency.to_string()),
        reserved_amount: 0,
        payout_method: detail.payout_method.as_str(),
        purpose: detail.purpose.to_string(),
        end_to_end_id: None,
        quotes: Vec::new(),
        tracking_sha256: None,
        traceparent: None,
    };
    Ok(Some((new, detail)))
}

fn opened(app: &App, event: &RecordEvent, detail: &SubmitDetail) -> Result<Personal, String> {
    let blob = event.blob.as_ref().ok_or("the blob is gone")?;
    if ledger_proof::sealed::blob_digest(blob) != detail.blob_digest {
        return Err("the blob is not the one that was signed".to_owned());
    }
    let plaintext = sealing::open(blob, &app.sealing_key, &detail.commitment)
        .map_err(|failure| failure.to_string())?;
    read(&plaintext).ok_or_else(|| "the data is not in the agreed form".to_owned())
}

/// Who and whom, by the rules that hold for a sender too: what breaks them could not be kept or shown, and
/// one transfer must not hold up all that follow.
fn read(plaintext: &[u8]) -> Option<Personal> {
    let personal = serde_json::from_slice(plaintext).ok()?;
    parties(&personal).ok()?;
    Some(personal)
}
