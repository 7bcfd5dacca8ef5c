//! Rebuilds the crate when a migration is added: `sqlx::migrate!` alone sees changes to known files only.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
