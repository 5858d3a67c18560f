//! A backup as a stream: made while the node goes on, sent at the receiver's pace.
use std::io;

use proto::ledger::{self as wire, backup_piece::Piece};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::super::{Api, stopped};
use crate::{Error, backup::Plan, state_store::StateStore};

/// Pieces that may wait for the receiver.
const AHEAD: usize = 16;

pub(crate) type Pieces = ReceiverStream<Result<wire::BackupPiece, Status>>;

/// Makes a checkpoint and sends it, with the history up to it.
pub(super) async fn pieces(api: &Api, has: Vec<wire::BackupFile>) -> Result<Pieces, Status> {
    let machine = api.machine.clone();
    machine.apply.cut().await.map_err(|error| stopped(&error))?;
    let history = api.history.clone();
    let (own, network) = (api.node, api.verifier.network());
    let (genesis, folder) = (api.genesis.clone(), api.history_folder.clone());
    let made = tokio::task::spawn_blocking(move || {
        let checkpoint = machine.snapshots.begin().map_err(Error::file("snapshot"))?;
        machine.states.store().checkpoint(&checkpoint.state())?;
        let cut = StateStore::read_cut(&checkpoint.state())?;
        let failed = || Error::file(&folder);
        let root = history.root(cut.history.records).map_err(failed())?;
        let plan = Plan::new(checkpoint, &folder, &cut.history, has).map_err(failed())?;
        let head = wire::BackupHead {
            node: own,
            network_id: network.0.to_vec().into(),
            records: cut.history.records,
            root: root.to_vec().into(),
            applied_index: cut.applied.map_or(0, |applied| applied.index),
            at_micros: cut.history.at_micros,
            genesis,
            total_bytes: plan.bytes(),
        };
        Ok::<_, Error>((head, plan))
    });
    let made = made.await.map_err(|_| Status::unavailable("this node is stopping"))?;
    let (head, plan) = made.map_err(|error| {
        tracing::error!(%error, "no backup can be made");
        Status::internal("no backup can be made here; see this node's log")
    })?;
    let (sender, pieces) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let give = |piece| {
            let sent = sender.blocking_send(Ok(piece));
            sent.map_err(|_| io::Error::other("the receiver has gone"))
        };
        let head = wire::BackupPiece { piece: Some(Piece::Head(head)) };
        if let Err(error) = give(head).and_then(|()| plan.send(give)) {
            tracing::warn!(%error, "a backup was not sent to its end");
        }
    });
    Ok(ReceiverStream::new(pieces))
}
