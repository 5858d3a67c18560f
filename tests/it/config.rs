//! The example settings of deploy/config are read as the services read them.
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use services_cli::network::plan::Plan;
use services_runtime::settings;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/config").join(name)
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    settings::load(&file(name)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn example_settings_are_readable() {
    read::<ledger_node::Settings>("node.toml").check().unwrap();
    let gateway = read::<gateway::settings::Settings>("gateway.toml");
    assert_eq!((gateway.fx.len(), gateway.accounts.len()), (1, 1));
    let fx = read::<services_fx::Settings>("fx.toml");
    assert_eq!(fx.corridors.len(), 1);
    read::<services_reconciliation::Settings>("reconciliation.toml");
    read::<services_reporting::Settings>("reporting.toml").check().unwrap();
    let office = read::<services_office::Settings>("office.toml").rules;
    assert!(office.open_breaks_max.contains_key("HKD") && office.targets.contains_key("101344"));
    assert_eq!(Plan::read(Some(&file("plan.toml"))).unwrap().corridors.len(), 2);
}
