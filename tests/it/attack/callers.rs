//! Who connects with what certificate, and what each may call and see.
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use ledger_proof::Item;
use proto::ledger::{
    AddLearnerRequest, BackupRequest, EventsRequest, GetBalancesRequest, GetClusterRequest,
    GetNetworkRequest, GetRootRequest, GetStatusRequest, GetTransferRequest, MemberRequest,
    SubmitRequest, TransferLeaderRequest, admin_client::AdminClient, ledger_client::LedgerClient,
};
use services_cli::{
    args::{Renew, Revoke},
    bench::world::{CREDITOR, DEBTOR, World},
    network::{
        pki::{Credentials, ParticipantCa, PeerCa},
        renew, revoke,
    },
};
use services_runtime::tls::{Files, Identity};
use time::{Duration, OffsetDateTime};
use tonic::{Code, Response, Status, transport::Channel};

use super::{channel, files, floods, leader, to_leader};

/// How long services may take to look at their files, and a little.
const RELOAD: std::time::Duration = std::time::Duration::from_secs(45);

/// Certificates that open nothing: not the connection, or no call on it.
pub(super) async fn certificates(world: &World) {
    let endpoint = world.folder.endpoints[leader(world).await - 1].clone();
    let folder = tempfile::tempdir().unwrap();
    let now = OffsetDateTime::now_utc();
    let own = ParticipantCa::read(&world.folder.path).unwrap();
    let other = ParticipantCa::new(now).unwrap();
    let peers = PeerCa::read(&world.folder.path).unwrap();
    let network = world.folder.genesis.network().to_string();
    let me = |network: &str, role: &str| Identity {
        network: network.to_owned(),
        role: role.to_owned(),
        id: DEBTOR.0.to_string(),
    };
    let participant = me(&network, "participant");
    let expired = own.issue_client(&participant, now - Duration::days(400)).unwrap();
    let early = own.issue_client(&participant, now + Duration::days(1)).unwrap();
    let foreign = other.issue_client(&participant, now).unwrap();
    let peer = peers.issue_peer(&["localhost".to_owned()], &me(&network, "node"), now).unwrap();
    let server = own.issue_server(&["localhost".to_owned()], &participant, now).unwrap();
    let no_connection = [
        ("expired", expired),
        ("not yet valid", early),
        ("of another CA", foreign),
        ("of the nodes' CA", peer),
        ("a server's", server),
    ];
    for (what, credentials) in no_connection {
        let status = ask(&own, &folder.path().join(what), credentials, &endpoint).await;
        let code = status.expect_err(what).code();
        let unconnected = [Code::Unavailable, Code::Unknown, Code::Cancelled];
        assert!(unconnected.contains(&code), "{what}: {code:?}");
    }
    let other_network = me(&"ab".repeat(32), "participant");
    let no_call = [
        ("wrong role", me(&network, "gateway"), Code::PermissionDenied),
        ("a node's role", me(&network, "node"), Code::PermissionDenied),
        ("no such role", me(&network, "Operator"), Code::PermissionDenied),
        ("another network's", other_network, Code::PermissionDenied),
        (
            "an id that is no number",
            Identity { id: "operator".to_owned(), ..participant.clone() },
            Code::Unauthenticated,
        ),
    ];
    for (what, identity, expected) in no_call {
        let credentials = own.issue_client(&identity, now).unwrap();
        let answer = ask(&own, &folder.path().join(what), credentials, &endpoint).await;
        assert_eq!(answer.expect_err(what).code(), expected, "{what}");
    }
    let credentials = own.issue_client(&participant, now).unwrap();
    ask(&own, &folder.path().join("good"), credentials, &endpoint).await.unwrap();
    assert!(floods::Wire::connect(&endpoint, &own_ca(world), None).await.is_err(), "none");
}

/// A certificate that is taken back opens nothing, and the connection that it opened ends, while
/// others go on.
pub(super) async fn revoked(world: &World) {
    let network = &world.folder.path;
    let endpoint = world.folder.endpoints[leader(world).await - 1].clone();
    let lost = network.join("participants/12/client");
    let asked = || GetBalancesRequest { participant: 0, all: false };
    let mut open = LedgerClient::new(channel(files(&lost), &endpoint));
    open.get_balances(asked()).await.unwrap();
    let mut other = LedgerClient::new(to_leader(world, "participants/11/client").await);
    // Its holder has a new one in the place of the old before the old counts no more.
    let thief = tempfile::tempdir().unwrap();
    for name in ["certificate.pem", "key.pem", "ca.pem"] {
        std::fs::copy(lost.join(name), thief.path().join(name)).unwrap();
    }
    let renew = Renew { folder: network.clone(), within: 400, dry_run: false };
    renew::run(&renew).unwrap();
    let former = lost.join("certificate.former.pem");
    revoke::run(&Revoke { folder: network.clone(), certificates: vec![former] }).unwrap();
    let until = Instant::now() + RELOAD;
    while open.get_balances(asked()).await.is_ok() {
        assert!(Instant::now() < until, "a revoked certificate's connection is still open");
        other.get_balances(asked()).await.expect("others go on");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    for endpoint in &world.folder.endpoints {
        // The nodes look at their files each at its own time.
        while ask_as(&files(thief.path()), endpoint).await.is_ok() {
            assert!(Instant::now() < until, "{endpoint}: a revoked certificate opens a connection");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        ask_as(&files(&lost), endpoint).await.expect("the new certificate counts");
    }
    other.get_balances(asked()).await.expect("others go on");
}

/// Asks what every node answers to every participant.
async fn ask_as(files: &Files, endpoint: &str) -> Result<(), Status> {
    let mut admin = AdminClient::new(channel(files.clone(), endpoint));
    admin.get_status(GetStatusRequest {}).await.map(drop)
}

fn own_ca(world: &World) -> PathBuf {
    world.folder.path.join("participants/11/client/ca.pem")
}

/// Asks for the own balances with these credentials, trusting the network's own servers.
async fn ask(
    own: &ParticipantCa,
    folder: &Path,
    credentials: Credentials,
    endpoint: &str,
) -> Result<(), Status> {
    let ca = own.credentials().ca;
    Credentials { ca, ..credentials }.write(folder).unwrap();
    let mut client = LedgerClient::new(channel(files(folder), endpoint));
    client.get_balances(GetBalancesRequest { participant: 0, all: false }).await.map(drop)
}

/// What each caller is told about another's things, and that it changes nothing.
pub(super) async fn matrix(world: &World, envelope: &[u8]) {
    let command = ledger_core::Command::decode(envelope).unwrap();
    let Some(Item::Submit(sent)) = command.items.into_iter().next() else { panic!("a submit") };
    let transfer = |debtor_agent: u32| GetTransferRequest {
        debtor_agent,
        uetr: sent.uetr.bytes().to_vec().into(),
    };
    let callers = [("participants/11/client", 11), ("participants/12/client", 12)];
    let callers = callers.into_iter().chain([("participants/1/client", 1)]);
    for (certificate, own) in callers {
        let channel = to_leader(world, certificate).await;
        let mut ledger = LedgerClient::new(channel.clone());
        let party = [DEBTOR.0, CREDITOR.0].contains(&own);
        for debtor_agent in [0, DEBTOR.0] {
            let seen = code(&ledger.get_transfer(transfer(debtor_agent)).await);
            let expected = if party { Code::Ok } else { Code::NotFound };
            assert_eq!(seen, expected, "{own} asks for a transfer");
        }
        for participant in [1, 11, 12, 99] {
            let asked = GetBalancesRequest { participant, all: false };
            let expected = if participant == own { Code::Ok } else { Code::PermissionDenied };
            assert_eq!(code(&ledger.get_balances(asked).await), expected, "{own} asks for others'");
        }
        let all = GetBalancesRequest { participant: own, all: true };
        assert_eq!(code(&ledger.get_balances(all).await), Code::PermissionDenied);
        let mine = GetBalancesRequest { participant: 0, all: false };
        let balances = ledger.get_balances(mine).await.unwrap().into_inner().balances;
        assert!(balances.iter().all(|row| row.owner == own), "{own} sees another's account");
        let stream = EventsRequest { from: 0, all: true };
        assert_eq!(code(&ledger.events(stream).await), Code::PermissionDenied);
        assert_eq!(code(&ledger.get_network(GetNetworkRequest {}).await), Code::Ok);
        let resolve = SubmitRequest { envelope: envelope.to_vec().into(), blobs: Vec::new() };
        assert_eq!(code(&ledger.resolve(resolve).await), Code::InvalidArgument);
        admin(channel, own).await;
    }
}

/// The operator's calls, in a participant's hands.
async fn admin(channel: Channel, own: u32) {
    let mut admin = AdminClient::new(channel);
    let member = || MemberRequest { node: 2, ..MemberRequest::default() };
    let peer = "https://localhost:1".to_owned();
    let codes = [
        code(&admin.transfer_leader(TransferLeaderRequest { to: 2 }).await),
        code(&admin.get_cluster(GetClusterRequest {}).await),
        code(&admin.add_learner(AddLearnerRequest { node: 9, peer }).await),
        code(&admin.promote(member()).await),
        code(&admin.remove_node(member()).await),
        code(&admin.backup(BackupRequest::default()).await),
    ];
    assert_eq!(codes, [Code::PermissionDenied; 6], "participant {own}");
    // Public: who leads, and the root that everyone may check.
    assert_eq!(code(&admin.get_status(GetStatusRequest {}).await), Code::Ok);
    assert_eq!(code(&admin.get_root(GetRootRequest { records: 0 }).await), Code::Ok);
}

fn code<T>(answer: &Result<Response<T>, Status>) -> Code {
    answer.as_ref().map_or_else(Status::code, |_| Code::Ok)
}
