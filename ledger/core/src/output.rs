//! What an applied entry says: records to hash and answers to give; it is drained by the caller.
use alloc::vec::Vec;

use ledger_proof::Record;
use ledger_types::{ParticipantId, Rejection, StatusReason, TransferState};

/// Everything one entry made. Kept between entries so that its memory is reused.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Records in order; the last is the entry record, if there are any.
    pub records: Vec<Record>,
    /// One answer per command, in order.
    pub answers: Vec<Answer>,
    /// Who is party to which record, by the party's own number: (participant, number, sequence).
    pub numbers: Vec<(ParticipantId, u64, u64)>,
    /// A checkpoint is due at the size after this entry.
    pub checkpoint_cut: bool,
}

impl Output {
    /// Empties it.
    pub fn clear(&mut self) {
        self.records.clear();
        self.answers.clear();
        self.numbers.clear();
        self.checkpoint_cut = false;
    }
}

/// The answer to one envelope.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Answer {
    /// The envelope was refused as a whole; there is one outcome.
    pub refused_whole: bool,
    /// The same bytes were answered before: (first record, how many); `outcomes` is empty.
    pub resent: Option<(u64, u32)>,
    /// In item order.
    pub outcomes: Vec<Outcome>,
}

/// The outcome of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its record.
    pub sequence: u64,
    /// Why it was refused.
    pub rejection: Option<Rejection>,
    /// The transfer's state.
    pub state: Option<TransferState>,
    /// The reason given with it.
    pub reason: Option<StatusReason>,
    /// The record of the first answer to the same item.
    pub first_sequence: Option<u64>,
}
