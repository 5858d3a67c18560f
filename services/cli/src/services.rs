//! `causeway ledger|gateway|fx|reconciliation|reporting|office run`: starts one service and ends with it. It must never
//! know what a service does.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use services_runtime::{
    health::{self, State},
    settings,
    shutdown::{Outcome, Shutdown},
    telemetry,
};

use crate::Answer;
use crate::args::Service;

/// How long tasks may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// What is logged unless `CAUSEWAY_LOG` says otherwise: consensus speaks at every election tick.
const LOG_FILTER: &str = "info,openraft=warn";

/// Runs the service until SIGTERM or SIGINT.
pub(crate) fn run(service: Service, config: &Path) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name(service.name())
        .build()
        .context("no async runtime can be started")?;
    runtime.block_on(serve(service, config))
}

async fn serve(service: Service, config: &Path) -> anyhow::Result<Answer> {
    let settings = telemetry::Settings {
        filter: std::env::var("CAUSEWAY_LOG").unwrap_or_else(|_| LOG_FILTER.to_owned()),
        ..telemetry::Settings::default()
    };
    telemetry::init(&settings)?;
    let shutdown = Shutdown::new();
    shutdown.on_signals().context("signals cannot be listened to")?;
    let metrics = telemetry::metrics()?;
    health::drain(&metrics, &shutdown);
    let health = |conditions: &[&'static str]| Some(State::new(metrics, conditions));
    let stop = shutdown.clone();
    let ended = match service {
        Service::Ledger => {
            let health = health(&ledger_node::CONDITIONS);
            ledger_node::run(load(config)?, health, stop).await.map_err(anyhow::Error::from)
        }
        Service::Gateway => {
            let health = health(&gateway::CONDITIONS);
            let mut settings: gateway::Settings = load(config)?;
            settings.file = Some(config.to_owned());
            gateway::run(settings, health, stop).await.map_err(Into::into)
        }
        Service::Fx => {
            let health = health(&services_fx::CONDITIONS);
            services_fx::run(load(config)?, health, stop).await.map_err(Into::into)
        }
        Service::Reconciliation => {
            let health = health(&services_reconciliation::CONDITIONS);
            services_reconciliation::run(load(config)?, health, stop).await.map_err(Into::into)
        }
        Service::Reporting => {
            let health = health(&services_reporting::CONDITIONS);
            services_reporting::run(load(config)?, health, stop).await.map_err(Into::into)
        }
        Service::Office => {
            let health = health(&services_office::CONDITIONS);
            services_office::run(load(config)?, health, stop).await.map_err(Into::into)
        }
    };
    shutdown.cancel();
    let outcome = shutdown.wait(GRACE).await;
    ended?;
    match outcome {
        Outcome::Clean | Outcome::Overdue => Ok(Answer::Done),
        Outcome::Failed => Ok(Answer::No),
    }
}

fn load<T: DeserializeOwned>(config: &Path) -> anyhow::Result<T> {
    settings::load(config).with_context(|| format!("{}: cannot be used", config.display()))
}
