//! Refuses a submit at its headers when there is no place for it, before its body is read; it sees no envelope.
use std::sync::{Arc, Mutex, PoisonError};

use proto::client::BYTES_KEY;
use tonic::{Request, Status, service::Interceptor};

use super::{Api, MESSAGE_BYTES_MAX, count, failure};
use crate::propose::Place;

/// Stands before the services of participants.
#[derive(Clone, Debug)]
pub(crate) struct Door(pub(crate) Api);

/// A place that was given at the headers, for whoever reads the body to take.
#[derive(Clone, Debug)]
pub(super) struct Given(Arc<Mutex<Option<Place>>>);

impl Given {
    pub(super) fn take(&self) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Interceptor for Door {
    /// A node that does not lead tells where the leader is, and takes its time for it.
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bytes = request.metadata().get(BYTES_KEY).and_then(|bytes| bytes.to_str().ok());
        let Some(bytes) = bytes.and_then(|bytes| bytes.parse::<usize>().ok()) else {
            return Ok(request);
        };
        if !self.0.raft.is_leader() {
            return Ok(request);
        }
        let caller = self.0.caller(&request)?;
        let place = self.0.proposer.place(caller.id(), bytes.min(MESSAGE_BYTES_MAX));
        match place {
            Ok(place) => {
                let given = Given(Arc::new(Mutex::new(Some(place))));
                request.extensions_mut().insert(given);
                Ok(request)
            }
            Err(refused) => {
                count(Some(&refused));
                Err(failure(&refused))
            }
        }
    }
}
