//! Core banking at the bank's own endpoints: every operation is kept before it is sent and asked after until its outcome is known, so that nothing is done twice or forgotten.
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use ledger_types::{StatusReason, TransferId};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    CoreBanking, Customer, Error, Identified, Reserved, Unresolved,
    call::Line,
    protocol::{Operation, Word, holder, key, of_customer, of_payee, of_reservation},
};
use crate::{
    payee::Payee,
    sealing::random,
    settings::Banking,
    store::{
        self, Store,
        banking::{OperationRow, Reservation},
    },
    turns::Turns,
};

/// Operations that a sweep asks after at one time.
const SWEEP_CONCURRENCY: usize = 8;
/// A running request has so much longer than its patience before a sweep asks too.
const SWEEP_BEHIND: Duration = Duration::from_secs(2);

/// Why an operation has no outcome yet.
#[derive(Debug, thiserror::Error)]
#[error("{0}; the operation is asked after")]
struct Open(&'static str);

/// A bank behind HTTP.
#[derive(Debug)]
pub struct Remote {
    store: Store,
    line: Line,
    settings: Banking,
    unresolved: Mutex<Unresolved>,
}

impl Remote {
    /// As the settings say.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub fn new(settings: &Banking, store: Store) -> Result<Self, crate::Error> {
        let line = Line::new(settings)?;
        Ok(Self { store, line, settings: settings.clone(), unresolved: Mutex::default() })
    }

    async fn reserve_now(
        &self,
        transfer: TransferId,
        customer: Customer<'_>,
    ) -> Result<Reserved, Error> {
        let round = match self.reservation(transfer).await? {
            None => 1,
            Some(Reservation { state, ended, .. }) if state == "done" && !ended => {
                return Ok(Reserved::Before);
            }
            Some(former) => former.round.saturating_add(1),
        };
        if self.line.spared() {
            // Nothing new is begun, or it would be asked after for nobody.
            return Err(open(SPARED));
        }
        let key = key(transfer, Operation::Reserve, round);
        let body = of_customer(&key, Operation::Reserve, Some(transfer), customer);
        if !self.keep(transfer, Operation::Reserve, round, body).await? {
            return Ok(Reserved::Before);
        }
        self.finish(transfer, Operation::Reserve, round, true).await?;
        Ok(Reserved::Now)
    }

    /// The last reservation, its outcome known; none where the bank was never asked for one.
    async fn reservation(&self, transfer: TransferId) -> Result<Option<Reservation>, Error> {
        let last = self.store.bank_reservation(transfer).await.map_err(unavailable)?;
        let Some(last) = last else { return Ok(None) };
        if last.state == "open" {
            match self.finish(transfer, Operation::Reserve, last.round, false).await {
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(open @ Error::Unavailable(_)) => return Err(open),
            }
            return self.store.bank_reservation(transfer).await.map_err(unavailable);
        }
        Ok(Some(last))
    }

    /// Captures or releases what is reserved; nothing where nothing is.
    async fn end(&self, transfer: TransferId, operation: Operation) -> Result<(), Error> {
        let Some(reserved) = self.reservation(transfer).await? else { return Ok(()) };
        if reserved.state != "done" || reserved.ended {
            return Ok(());
        }
        let round = reserved.round;
        let reservation = key(transfer, Operation::Reserve, round);
        let own = key(transfer, operation, round);
        let body = of_reservation(&own, operation, transfer, &reservation);
        let fresh = self.keep(transfer, operation, round, body).await?;
        self.finish(transfer, operation, round, fresh).await
    }

    async fn credit_now(&self, transfer: TransferId, customer: Customer<'_>) -> Result<(), Error> {
        let key = key(transfer, Operation::Credit, 1);
        let body = of_customer(&key, Operation::Credit, Some(transfer), customer);
        let fresh = self.keep(transfer, Operation::Credit, 1, body).await?;
        self.finish(transfer, Operation::Credit, 1, fresh).await
    }

    async fn credited_now(&self, transfer: TransferId) -> Result<bool, Error> {
        let row = self.store.bank_operation(transfer, Operation::Credit.as_str(), 1).await;
        if row.map_err(unavailable)?.is_none() {
            return Ok(false);
        }
        match self.finish(transfer, Operation::Credit, 1, false).await {
            Ok(()) => Ok(true),
            Err(Error::Refused(_)) => Ok(false),
            Err(open @ Error::Unavailable(_)) => Err(open),
        }
    }

    /// A check changes nothing, so it is kept nowhere and simply asked again.
    async fn check_now(&self, creditor: Customer<'_>) -> Result<(), Error> {
        let id = random().map_err(|error| Error::Unavailable(Box::new(error)))?;
        let key = format!("check_{}", Uuid::from_bytes(id));
        let body = of_customer(&key, Operation::Check, None, creditor);
        let end = self.end_of_patience();
        let mut waits = self.waits();
        loop {
            match self.line.ask(Operation::Check, &key, &body).await {
                Word::Done => return Ok(()),
                Word::Refused(reason) => return Err(Error::Refused(reason)),
                Word::NeverSeen => return Err(open("an answer out of place")),
                Word::Spared => return Err(open(SPARED)),
                Word::Unknown(why) => pause(&mut waits, end, why).await?,
            }
        }
    }

    /// Asked once: who asks waits for no second try, and nothing is kept.
    async fn identify_now(&self, payee: &Payee) -> Result<Identified, Error> {
        let id = random().map_err(|error| Error::Unavailable(Box::new(error)))?;
        let key = format!("identify_{}", Uuid::from_bytes(id));
        match self.line.tell(Operation::Identify, &key, &of_payee(&key, payee)).await {
            (Word::Done, said) => holder(&said).ok_or_else(|| open("an answer without a holder")),
            // AG03: the bank tells nobody's name. Any other reason: there is no account to credit.
            (Word::Refused(reason), _) if reason == StatusReason::known(b"AG03") => {
                Ok(Identified::NotSupported)
            }
            (Word::Refused(_), _) => Ok(Identified::Unknown),
            (Word::NeverSeen, _) => Err(open("an answer out of place")),
            (Word::Spared, _) => Err(open(SPARED)),
            (Word::Unknown(why), _) => Err(open(why)),
        }
    }

    /// Keeps an operation before it is sent; false when it was kept before.
    async fn keep(
        &self,
        transfer: TransferId,
        operation: Operation,
        round: i16,
        body: Vec<u8>,
    ) -> Result<bool, Error> {
        let patience = Duration::from_millis(self.settings.patience_ms) + SWEEP_BEHIND;
        self.store
            .bank_operation_insert(transfer, operation.as_str(), round, &body, patience)
            .await
            .map_err(unavailable)
    }

    /// Brings a kept operation to its outcome, or says that it is still open when patience ends.
    async fn finish(
        &self,
        transfer: TransferId,
        operation: Operation,
        round: i16,
        mut fresh: bool,
    ) -> Result<(), Error> {
        let row = self.store.bank_operation(transfer, operation.as_str(), round).await;
        let Some(row) = row.map_err(unavailable)? else { return Err(open("it was not kept")) };
        if row.state != "open" {
            return outcome(&row);
        }
        let (end, mut waits) = (self.end_of_patience(), self.waits());
        loop {
            match self.attempt(operation, &row, fresh).await? {
                Word::Done => return Ok(()),
                Word::Refused(reason) => return Err(Error::Refused(reason)),
                Word::NeverSeen => return Err(open("an answer out of place")),
                Word::Spared => return Err(open(SPARED)),
                Word::Unknown(why) => pause(&mut waits, end, why).await?,
            }
            fresh = false;
        }
    }

    /// Asks once and keeps a known outcome: what may have been asked before is looked for first, and
    /// sent again only if the bank never saw its key.
    async fn attempt(
        &self,
        operation: Operation,
        row: &OperationRow,
        fresh: bool,
    ) -> Result<Word, Error> {
        let (Some(transfer), Some(body)) = (row.transfer(), row.body.as_deref()) else {
            return Ok(Word::Unknown("the kept operation is unreadable"));
        };
        let key = key(transfer, operation, row.round);
        let mut word = if fresh { Word::NeverSeen } else { self.line.look(&key).await };
        if word == Word::NeverSeen {
            word = self.line.ask(operation, &key, body).await;
        }
        let (state, reason) = match word {
            Word::Done => ("done", None),
            Word::Refused(reason) if operation.refusable() => ("refused", Some(reason)),
            Word::Refused(_) => return Ok(Word::Unknown("a refusal of what a bank can't refuse")),
            Word::NeverSeen | Word::Unknown(_) | Word::Spared => return Ok(word),
        };
        let reason = reason.map(|reason| reason.to_string());
        let kept = self.store.bank_operation_answer(
            transfer,
            operation.as_str(),
            row.round,
            (state, reason.as_deref()),
        );
        kept.await.map_err(unavailable)?;
        Ok(word)
    }

    /// Asks after what is open, and releases what a transfer that is none any more had reserved.
    async fn tend_now(&self, turns: &Turns) -> Result<(), Error> {
        let due = self.store.bank_operation_due().await.map_err(unavailable)?;
        let asked = due.into_iter().map(|row| self.ask_after(row));
        let asked: Vec<_> = stream::iter(asked).buffer_unordered(SWEEP_CONCURRENCY).collect().await;
        asked.into_iter().collect::<Result<Vec<()>, Error>>()?;
        for transfer in self.store.bank_orphans(None).await.map_err(unavailable)? {
            // A request that is about to keep the transfer has the turn.
            let turn = turns.take(transfer.uetr).await;
            let still = self.store.bank_orphans(Some(transfer)).await.map_err(unavailable)?;
            if still.is_empty() {
                continue;
            }
            match self.end(transfer, Operation::Release).await {
                Ok(()) => {
                    tracing::info!(uetr = %transfer.uetr, "reservation of no transfer released")
                }
                Err(error) => {
                    let cause = services_runtime::error::chain(&error);
                    tracing::warn!(cause, uetr = %transfer.uetr, "reservation not released yet");
                }
            }
            drop(turn);
        }
        let (count, oldest) = self.store.bank_unresolved().await.map_err(unavailable)?;
        *self.unresolved.lock().unwrap_or_else(PoisonError::into_inner) =
            Unresolved { count, oldest };
        Ok(())
    }

    async fn ask_after(&self, row: OperationRow) -> Result<(), Error> {
        let Some(operation) = Operation::parse(&row.operation) else { return Ok(()) };
        let Word::Unknown(why) = self.attempt(operation, &row, false).await? else { return Ok(()) };
        let (transfer, attempts) = (row.transfer(), usize::try_from(row.attempts).unwrap_or(0));
        let Some(transfer) = transfer else { return Ok(()) };
        tracing::warn!(why, operation = row.operation, uetr = %transfer.uetr, "outcome unknown");
        let wait = self.waits().nth(attempts.min(WAITS_MAX - 1)).unwrap_or_default();
        let later = self.store.bank_operation_later(transfer, &row.operation, row.round, wait);
        later.await.map_err(unavailable)
    }

    fn end_of_patience(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.settings.patience_ms)
    }

    fn waits(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(self.settings.retry_ms_min))
            .with_max_delay(Duration::from_millis(self.settings.retry_ms_max))
            .with_max_times(WAITS_MAX)
            .with_jitter()
            .build()
    }
}

const SPARED: &str = "the bank does not answer and is spared";
/// Enough for any wait to have reached the longest.
const WAITS_MAX: usize = 32;

/// Waits before the next call, unless patience would end meanwhile.
async fn pause(
    waits: &mut impl Iterator<Item = Duration>,
    end: Instant,
    why: &'static str,
) -> Result<(), Error> {
    let next = waits.next().map(|wait| Instant::now() + wait).filter(|next| *next < end);
    let Some(next) = next else { return Err(open(why)) };
    tokio::time::sleep_until(next).await;
    Ok(())
}

/// The outcome that is kept.
fn outcome(row: &OperationRow) -> Result<(), Error> {
    match (row.state.as_str(), row.reason.as_deref().and_then(|reason| reason.parse().ok())) {
        ("done", _) => Ok(()),
        ("refused", Some(reason)) => Err(Error::Refused(reason)),
        (_, _) => Err(open("the kept outcome is unreadable")),
    }
}

fn open(why: &'static str) -> Error {
    Error::Unavailable(Box::new(Open(why)))
}

fn unavailable(error: store::Error) -> Error {
    Error::Unavailable(Box::new(error))
}

impl CoreBanking for Remote {
    fn reserve<'a>(
        &'a self,
        transfer: TransferId,
        debtor: Customer<'a>,
    ) -> BoxFuture<'a, Result<Reserved, Error>> {
        Box::pin(self.reserve_now(transfer, debtor))
    }

    fn capture(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.end(transfer, Operation::Capture))
    }

    fn release(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.end(transfer, Operation::Release))
    }

    fn check<'a>(&'a self, creditor: Customer<'a>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.check_now(creditor))
    }

    fn credit<'a>(
        &'a self,
        transfer: TransferId,
        creditor: Customer<'a>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.credit_now(transfer, creditor))
    }

    fn credited(&self, transfer: TransferId) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(self.credited_now(transfer))
    }

    fn identify<'a>(&'a self, payee: &'a Payee) -> BoxFuture<'a, Result<Identified, Error>> {
        Box::pin(self.identify_now(payee))
    }

    fn tend<'a>(&'a self, turns: &'a Turns) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.tend_now(turns))
    }

    fn unresolved(&self) -> Unresolved {
        *self.unresolved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
