package main

// kyberAnswers: seed of the generator, secret, and SHAKE256 (16 bytes) of keys and ciphertext. From
// Botan 3.13 (BSD-2-Clause), src/tests/data/pubkey/kyber_kat.vec, section Kyber-512-r3.
var kyberAnswers = []answer{
	{
		"061550234d158c5ec95595fe04ef7a25767f2e24cc2bc479d09d86dc9abcfde7056a8c266f9ef97ed08541dbd2e1ffa1",
		"0a6925676f24b22c286f4c81a4224cec506c9b257d480e02e3b49f44caa3237f",
		"5f2b6a4c5ddf6b5ed22424927a85e742",
		"f4d8aebff093c92d94f677ec1d2e9d7d",
		"1af2f982d31d2247026742f85bc3680f",
	},
	{
		"d81c4d8d734fcbfbeade3d3f8a039faa2a2c9957e835ad55b22e75bf57bb556ac81adde6aeeb4a5a875c3bfcadfa958f",
		"ced6ec70083226b02057b7f47e40943320b3d10dd4ad07efe0f007ec8c06b3af",
		"cbc905056ec6f678f6a95a9ec82daec4",
		"3c2bddb71a38d1a28db1bfa3a2162261",
		"c566cdb25ea1df59a98ab414df137b7a",
	},
	{
		"64335bf29e5de62842c941766ba129b0643b5e7121ca26cfc190ec7dc3543830557fdd5c03cf123a456d48efea43c868",
		"6f21df33b8398bfa65c9c243214e22d0beb5f0d801e4f9e71d476f8b7e3a9688",
		"c1a9c449f40f26d0a3cabc1bdc50ce92",
		"5254683424d34aeec713ab5a5728e2ce",
		"c188b0fcdd4c6412b72f89f8812012ee",
	},
	{
		"225d5ce2ceac61930a07503fb59f7c2f936a3e075481da3ca299a80f8c5df9223a073e7b90e02ebf98ca2227eba38c1a",
		"960b57f0feb34aa25d29a42a94565f697a8133aa1b7407bce017c8bb4a6ecca8",
		"2af156c65d38f1ef366470e990138521",
		"218b40d5ae40cb5125f76568494124c9",
		"9f7f73df5bc4ba8b3329b678b34d9032",
	},
}
