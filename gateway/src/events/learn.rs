//! Transfers that this gateway hears of by their first record, with who and whom if the blob is for us; it decides nothing about them.
use ledger_proof::{
    codec::Field,
    item::ItemKind,
    record::{DebtorDetail, Part, PartyPart, RecordKind, SubmitDetail},
};
use proto::convert::RecordEvent;

use super::{Read, unreadable};
use crate::{
    Error,
    app::App,
    payee::reference,
    personal::Personal,
    sealing,
    store::{
        Connection,
        parties::NewParty,
        transfers::{New, transfer_known, transfer_learn},
    },
};

/// A transfer that a record tells of.
struct Told<'a> {
    new: New,
    event: &'a RecordEvent,
    detail: SubmitDetail,
}

/// Inserts transfers that this gateway hears of for the first time.
pub(super) async fn learn(
    app: &App,
    connection: &mut Connection,
    read: &[Read<'_>],
) -> Result<(), Error> {
    let told = read.iter().filter_map(|read| told(app, read).transpose());
    let mut told: Vec<Told<'_>> = told.collect::<Result<_, _>>()?;
    // What was submitted here is here, unless the store was restored from an older copy.
    let own = told.iter().filter(|told| told.new.outgoing).map(|told| told.new.transfer);
    let known = transfer_known(connection, own.collect()).await.map_err(Error::Store)?;
    told.retain(|told| !known.contains(&told.new.transfer));
    if told.is_empty() {
        return Ok(());
    }
    let new: Vec<New> = told.iter().map(|told| told.new.clone()).collect();
    let sealed = |told: &&Told<'_>| !told.new.outgoing && told.detail.blob_digest != [0; 32];
    let mut parties = Vec::new();
    for told in told.iter().filter(sealed) {
        parties.push(party(app, connection, told).await?);
    }
    transfer_learn(connection, &new, &parties).await.map_err(Error::Store)
}

/// What a record says of a new transfer of ours or to us; none if it says nothing of one.
fn told<'a>(app: &App, read: &Read<'a>) -> Result<Option<Told<'a>>, Error> {
    let Read { event, shared: Some(shared), transfer: Some(transfer) } = read else {
        return Ok(None);
    };
    let submitted = matches!(event.kind, RecordKind::Item(ItemKind::Submit | ItemKind::Return));
    let outgoing = transfer.debtor_agent == app.me;
    if !submitted || shared.outcome != 0 || !(outgoing || shared.creditor_agent == app.me) {
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
    Ok(Some(Told { new, event, detail }))
}

async fn party(app: &App, connection: &mut Connection, told: &Told<'_>) -> Result<NewParty, Error> {
    let Told { new: New { transfer, .. }, event, .. } = told;
    let known = match opened(app, told) {
        Ok(personal) => {
            let of = (transfer.debtor_agent, event.at);
            let known = reference::resolved(app, connection, of, personal).await;
            Ok(known.map_err(Error::Store)?)
        }
        Err(failure) => Err(failure),
    };
    Ok(match known {
        Ok(personal) => NewParty::open(*transfer, personal),
        Err(failure) => {
            NewParty { transfer: *transfer, personal: None, sealed_error: Some(failure) }
        }
    })
}

fn opened(app: &App, Told { event, detail, .. }: &Told<'_>) -> Result<Personal, String> {
    let blob = event.blob.as_ref().ok_or("the blob is gone")?;
    if ledger_proof::sealed::blob_digest(blob) != detail.blob_digest {
        return Err("the blob is not the one that was signed".to_owned());
    }
    let plaintext = sealing::open(blob, &app.sealing_key, &detail.commitment)
        .map_err(|failure| failure.to_string())?;
    serde_json::from_slice(&plaintext).map_err(|_| "the data is not in the agreed form".to_owned())
}
