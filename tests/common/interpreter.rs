//! The PTX interpreter as the driver of a program under test.

/// A folder for `LD_LIBRARY_PATH`, with the interpreter as the driver's library.
pub fn driver() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Cargo builds it with this test, beside this test.
    let test = std::env::current_exe().expect("the test has a file");
    let library = test.with_file_name("libmaskrank_ptx_driver.so");
    std::fs::copy(&library, folder.path().join("libcuda.so.1"))
        .unwrap_or_else(|error| panic!("{}: {error}", library.display()));
    folder
}
