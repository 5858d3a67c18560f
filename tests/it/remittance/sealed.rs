//! What a debtor agent signs past its own gateway costs at most its own transfer: data against the rules, and what was said before.
use std::{pin::pin, time::Duration};

use futures_util::StreamExt as _;
use gateway::sealing::{Sealed, random, seal};
use ledger_proof::{
    Field as _, Item, RecordKind,
    item::{ItemKind, Submit},
    operator::KeyKind,
    signature::key_id,
};
use ledger_types::{ParticipantId, Uetr};
use proto::convert::Event;
use serde_json::{Value, json};
use services_cli::{demo::network::Running, wallet::Wallet};
use tests::fresh_uetr;

use super::{PATIENCE, credited, order};

const HONG_KONG: ParticipantId = ParticipantId(101);

/// A transfer whose data no database holds as text, or that breaks a rule, signed and sent past the debtor agent's gateway.
pub(super) async fn against_the_rules(running: &Running, debtor: &Wallet, creditor: &Wallet) {
    let order = order("4000.00");
    let (status, body) = debtor.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let original = submitted(running, order["uetr"].as_str().unwrap().parse().unwrap()).await;
    let client = running.folder.client("participants/HK/client", PATIENCE).unwrap();
    let mut uetrs = Vec::new();
    let name = |name: &str| json!({ "name": name, "account": super::FAMILY });
    let sound = name("Bea Testperson");
    for (beneficiary, pickup) in [
        (name("Bea\0"), Value::Null),
        (name("Bea\n"), Value::Null),
        (name(&"B".repeat(141)), Value::Null),
        (sound, json!({ "salt": "\0", "digest": "" })),
    ] {
        let personal = json!({
            "originator": { "name": "Ada Testperson", "account": super::HELPER },
            "beneficiary": beneficiary,
            "pickup": pickup,
        });
        let uetr = fresh_uetr();
        let (item, blob) = another(running, &original, (&uetr, &personal)).await;
        let bytes = running.folder.sign(HONG_KONG, &[item]).unwrap();
        let answer = client.submit(bytes, vec![blob]).await.unwrap();
        assert_eq!(answer.outcomes[0].rejection, None);
        uetrs.push(uetr);
    }
    for uetr in uetrs {
        let path = format!("/v1/transfers/{uetr}?debtor_agent=101");
        let rejected = async {
            loop {
                let (_, body) =
                    creditor.send(reqwest::Method::GET, &path, None, None).await.unwrap();
                if body["status"] == "REJECTED" {
                    return body;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let body = tokio::time::timeout(PATIENCE, rejected).await.expect("it is told and decided");
        assert_eq!(body["reason"], json!("RR03"), "{body}");
    }
    credited(debtor, order["uetr"].as_str().unwrap()).await;
}

/// An item that the ledger has answered, sent again in another envelope: what comes of it is told to both agents without
/// its detail, and moves nothing.
pub(super) async fn said_again(running: &Running, debtor: &Wallet) {
    let original = order("4010.00");
    let (status, body) = debtor.create(&original, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let original = submitted(running, original["uetr"].as_str().unwrap().parse().unwrap()).await;
    let personal = json!({
        "originator": { "name": "Ada Testperson", "account": super::HELPER },
        "beneficiary": { "name": "Bea Testperson", "account": super::FAMILY },
    });
    let (item, blob) = another(running, &original, (&fresh_uetr(), &personal)).await;
    let client = running.folder.client("participants/HK/client", PATIENCE).unwrap();
    for repeats in [false, true] {
        let bytes = running.folder.sign(HONG_KONG, std::slice::from_ref(&item)).unwrap();
        let answer = client.submit(bytes, vec![blob.clone()]).await.unwrap();
        let outcome = &answer.outcomes[0];
        assert_eq!(outcome.rejection, None, "{outcome:?}");
        assert_eq!(outcome.first_sequence.is_some(), repeats, "{outcome:?}");
    }
    // Both agents' streams have the repeat before what follows it.
    let next = order("4020.00");
    let (status, body) = debtor.create(&next, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    credited(debtor, next["uetr"].as_str().unwrap()).await;
}

/// The item that the debtor agent's gateway signed, as the operator reads it.
async fn submitted(running: &Running, uetr: Uetr) -> Submit {
    let mut events = pin!(running.operator.events(0, true).await.unwrap());
    loop {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap();
        if let Event::Record(record) = event
            && record.kind == RecordKind::Item(ItemKind::Submit)
            && let Ok(Item::Submit(submit)) = Item::from_bytes(record.item.as_ref().unwrap())
            && submit.uetr == uetr
        {
            return submit;
        }
    }
}

/// A transfer like an `original` one, with its own name and data, and what was sealed.
async fn another(
    running: &Running,
    original: &Submit,
    (uetr, personal): (&str, &Value),
) -> (Item, Vec<u8>) {
    let Sealed { blob, blob_digest, commitment, .. } = sealed(running, original, personal).await;
    let item = Item::Submit(Submit {
        nonce: random().unwrap(),
        uetr: uetr.parse().unwrap(),
        blob_digest,
        commitment,
        ..original.clone()
    });
    (item, blob)
}

/// The same readers are given other data.
async fn sealed(running: &Running, original: &Submit, personal: &Value) -> Sealed {
    let network = running.operator.network().await.unwrap();
    let keys = network.participants.iter().flat_map(|row| &row.sealing_keys);
    let reads = |key: &&[u8; 32]| original.sealed_for.contains(&key_id(KeyKind::Sealing, key));
    let readers: Vec<_> = keys.filter(reads).copied().collect();
    let sealed = seal(personal.to_string().as_bytes(), &readers).unwrap();
    assert_eq!(sealed.sealed_for.len(), original.sealed_for.len());
    sealed
}
