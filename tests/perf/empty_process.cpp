// The floor that hook_bench measures against: what any process costs before and after its work. It
// needs the C library alone, by the dynamic loader: what /bin/true costs.
int main() { return 0; }
