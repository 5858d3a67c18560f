//! Every code has its page, and no two mean the same.
use std::{collections::BTreeSet, path::Path};

use serde_json::json;

use super::{
    Code, Problem,
    pages::{Again, Who, page},
};

#[test]
fn every_code_has_its_page() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    for code in Code::ALL {
        let page = pages.join(format!("{}.md", code.name()));
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(text.starts_with(&format!("# {}\n", code.name())), "{}", page.display());
    }
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
}

#[test]
fn a_problem_says_what_its_page_says() {
    for (code, again, who) in [
        (Code::StoreUnavailable, Again::Same, Who::GatewayOperator),
        (Code::FieldInvalid, Again::Corrected, Who::Caller),
        (Code::AccountRefused, Again::Anew, Who::Customer),
        (Code::ScreeningRefused, Again::No, Who::Compliance),
    ] {
        let page = page(&format!("{}.md", code.name())).unwrap();
        assert_eq!((page.again, page.who_acts), (again, who), "{code:?}");
    }
    let body = services_runtime::error::Problem::from(&Problem::new(Code::AccountRefused, ""));
    let body = serde_json::to_value(body).unwrap();
    assert_eq!((&body["again"], &body["who_acts"]), (&json!("anew"), &json!("customer")));
}

#[test]
fn who_is_told_to_wait_may_send_the_same() {
    for code in Code::ALL {
        let page = page(&format!("{}.md", code.name())).unwrap();
        let status = code.status().as_u16();
        let later = matches!(status, 408 | 429 | 500 | 503);
        let running = *code == Code::RequestInProgress;
        assert_eq!(page.again == Again::Same, later || running, "{code:?}");
    }
}
