//! A participant's events sent to its own endpoints by Standard Webhooks 1.0.0; it decides nothing about a transfer and sends no personal data.
use std::sync::Arc;

use ledger_proof::codec::Digest;
use tokio::sync::Notify;

use crate::{Error, settings};

pub mod address;
pub mod deliver;
pub mod message;
pub mod send;
pub mod signature;
pub mod vault;

/// What routes and the worker share.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Sends a message.
    pub sender: send::Sender,
    /// Keeps secrets.
    pub vault: vault::Vault,
    /// Bounds.
    pub settings: settings::Webhooks,
    news: Arc<Notify>,
}

impl Webhooks {
    /// Of one gateway; secrets are kept under a key of its sealing key.
    ///
    /// # Errors
    /// When the CA file or the HTTP client is unusable.
    pub fn new(settings: &settings::Webhooks, sealing_key: &Digest) -> Result<Self, Error> {
        Ok(Self {
            sender: send::Sender::new(settings)?,
            vault: vault::Vault::new(sealing_key),
            settings: settings.clone(),
            news: Arc::default(),
        })
    }

    /// Says that there may be something to deliver.
    pub fn wake(&self) {
        self.news.notify_one();
    }
}
