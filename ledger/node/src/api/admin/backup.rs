//! A backup as a stream: made while the node goes on, sent at the receiver's pace.
use std::io;

use proto::ledger::{self as wire, backup_piece::Piece};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::super::{Api, stopped};
use crate::{Error, backup::Plan, host, measure, state_store::StateStore};

/// Pieces that may wait for the receiver.
const AHEAD: usize = 16;

pub(crate) type Pieces = ReceiverStream<Result<wire::BackupPiece, Status>>;

/// Makes a checkpoint and sends it, with the history up to it. The stream opens at once: looking
/// through a large state takes longer than a call's answer may.
pub(super) async fn pieces(api: &Api, has: Vec<wire::BackupFile>) -> Result<Pieces, Status> {
    api.machine.apply.cut().await.map_err(|error| stopped(&error))?;
    let (api, (sender, pieces)) = (api.clone(), mpsc::channel(AHEAD));
    tokio::task::spawn_blocking(move || {
        let give = |piece| {
            let sent = sender.blocking_send(Ok(wire::BackupPiece { piece: Some(piece) }));
            sent.map_err(|_| io::Error::other("the receiver has gone"))
        };
        let sent = prepare(&api, has).and_then(|(head, plan)| {
            let sent = give(Piece::Head(head)).and_then(|()| plan.send(give));
            sent.map_err(Error::file("backup"))
        });
        if sent.is_ok() {
            let at = host::now().micros() / 1_000_000;
            metrics::gauge!("causeway_ledger_backup_sent_seconds").set(measure::float(at));
        }
        if let Err(error) = sent {
            tracing::error!(%error, "a backup was not sent to its end");
            let status = Status::internal("no backup can be made here; see this node's log");
            // The receiver may have gone.
            let _gone = sender.blocking_send(Err(status));
        }
    });
    Ok(ReceiverStream::new(pieces))
}

fn prepare(api: &Api, has: Vec<wire::BackupFile>) -> Result<(wire::BackupHead, Plan), Error> {
    let machine = &api.machine;
    let checkpoint = machine.snapshots.begin().map_err(Error::file("snapshot"))?;
    machine.states.store().checkpoint(&checkpoint.state())?;
    let cut = StateStore::read_cut(&checkpoint.state())?;
    let failed = || Error::file(&api.history_folder);
    let root = api.history.root(cut.history.records).map_err(failed())?;
    let plan = Plan::new(checkpoint, &api.history_folder, &cut.history, has).map_err(failed())?;
    let head = wire::BackupHead {
        node: api.node,
        network_id: api.verifier.network().0.to_vec().into(),
        records: cut.history.records,
        root: root.to_vec().into(),
        applied_index: cut.applied.map_or(0, |applied| applied.index),
        at_micros: cut.history.at_micros,
        genesis: api.genesis.clone(),
        total_bytes: plan.bytes(),
    };
    Ok((head, plan))
}
