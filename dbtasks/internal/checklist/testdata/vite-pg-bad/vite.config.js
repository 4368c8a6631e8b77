import { api } from './server/plugin.js';

/** @type {import('vite').UserConfig} */
export default {
	plugins: [api()]
};
