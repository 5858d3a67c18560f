//! Puts the pages of docs/errors into the program with what each says of trying again, so that a problem can tell it and its
//! `type` leads somewhere; it reads no other file.
use std::{env, error::Error, fs, path::PathBuf};

/// The line of a page that this reads: `**Again:** [anew](…). **Who acts:** network operator.`
const AGAIN: &str = "**Again:** [";
const WHO_ACTS: &str = "**Who acts:** ";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../docs/errors");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut pages = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path().canonicalize()?;
        let text = fs::read_to_string(&path)?;
        let said = |from, to| said(&text, from, to).ok_or(format!("{from}: {}", path.display()));
        let (again, who) = (said(AGAIN, ']')?, said(WHO_ACTS, '.')?);
        if let (Some(name), Some(shown)) =
            (path.file_name().and_then(|name| name.to_str()), path.to_str())
        {
            pages.push(format!(
                "Page {{ name: {name:?}, again: Again::{again}, who_acts: Who::{who}, \
                 text: include_str!({shown:?}) }}"
            ));
        }
    }
    pages.sort_unstable();
    let table = format!("const PAGES: &[Page] = &[{}];\n", pages.join(", "));
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("error_pages.rs"), table)?;
    Ok(())
}

/// The words between two marks as the name of a variant: a word that is none does not compile.
fn said(text: &str, from: &str, to: char) -> Option<String> {
    let (_, rest) = text.split_once(from)?;
    let (words, _) = rest.split_once(to)?;
    let capital = |word: &str| {
        let (first, rest) = word.split_at_checked(1)?;
        Some(first.to_uppercase() + rest)
    };
    words.split(' ').map(capital).collect()
}
