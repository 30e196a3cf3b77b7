fn main() {
    // New files of these folders must get into the binary; cargo would not notice them.
    println!("cargo:rerun-if-changed=schemas");
    println!("cargo:rerun-if-changed=queries");
}
