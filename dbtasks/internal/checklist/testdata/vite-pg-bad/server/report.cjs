const { Pool: P } = require('pg');

class Pool {}
module.exports.fake = new Pool();
module.exports.real = new P({ max: 2 });
