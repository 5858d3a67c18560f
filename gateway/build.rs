//! Puts the pages of docs/errors into the program, so that the `type` of a problem leads somewhere; it reads no other file.
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../docs/errors");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut pages = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path().canonicalize()?;
        if let (Some(name), Some(shown)) =
            (path.file_name().and_then(|name| name.to_str()), path.to_str())
        {
            pages.push(format!("({name:?}, include_str!({shown:?}))"));
        }
    }
    pages.sort_unstable();
    let table = format!("const PAGES: &[(&str, &str)] = &[{}];\n", pages.join(", "));
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("error_pages.rs"), table)?;
    Ok(())
}
