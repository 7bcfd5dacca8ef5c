//! Embeds the browser's files: the assets of `target/assets` (made by `cargo xtask build`; another folder with
//! `ASSENT_ASSETS`), compressed, and everything of `public/`.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use assets::ASSETS;

mod assets;

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("cargo::error={problem}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    println!("cargo::rerun-if-env-changed=ASSENT_ASSETS");
    let assets = env::var_os("ASSENT_ASSETS").map_or_else(|| root.join("target/assets"), PathBuf::from);
    let public = root.join("public");
    println!("cargo::rerun-if-changed={}", assets.display());
    println!("cargo::rerun-if-changed={}", public.display());

    let mut files = Vec::new();
    for (name, _) in ASSETS {
        let file = assets.join(name);
        if !file.is_file() {
            return Err(format!(
                "{} is missing. Run `cargo xtask build`, which makes it.",
                file.display()
            ));
        }
        files.push(file);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut source = String::new();
    list(&mut source, "ASSETS", &assets, files, Some(&out))?;
    let mut files = Vec::new();
    walk(&public, &mut files).map_err(|error| format!("{}: {error}", public.display()))?;
    list(&mut source, "PUBLIC", &public, files, None)?;
    fs::write(out.join("embedded.rs"), source).map_err(|error| error.to_string())
}

/// Writes a static list of files below `folder`, in the order of their names. With `compressed`, brotli and gzip of
/// each are made there; without, only the file itself is embedded.
fn list(
    source: &mut String,
    constant: &str,
    folder: &Path,
    mut files: Vec<PathBuf>,
    compressed: Option<&Path>,
) -> Result<(), String> {
    files.sort();
    let _ = writeln!(source, "pub(crate) static {constant}: &[File] = &[");
    for file in files {
        let name = file
            .strip_prefix(folder)
            .map_err(|error| error.to_string())?
            .to_string_lossy()
            .replace('\\', "/");
        let file = file
            .canonicalize()
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let include = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
        let plain = include(&file);
        let (brotli, gzip) = match compressed {
            Some(out) => {
                let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                let stem = name.replace('/', "_");
                let brotli = out.join(format!("{stem}.br"));
                let gzip = out.join(format!("{stem}.gz"));
                compress(&bytes, &brotli, &gzip).map_err(|error| format!("{}: {error}", file.display()))?;
                (include(&brotli), include(&gzip))
            }
            None => ("&[]".to_owned(), "&[]".to_owned()),
        };
        let _ = writeln!(
            source,
            "    File {{ name: {name:?}, bytes: {plain}, brotli: {brotli}, gzip: {gzip} }},"
        );
    }
    source.push_str("];\n");
    Ok(())
}

fn compress(bytes: &[u8], brotli: &Path, gzip: &Path) -> io::Result<()> {
    fs::write(brotli, assent_compression::brotli(bytes))?;
    fs::write(gzip, assent_compression::gzip(bytes))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
