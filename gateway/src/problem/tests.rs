//! Every code has its page, and no two mean the same.
use std::{collections::BTreeSet, path::Path};

use super::Code;

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
