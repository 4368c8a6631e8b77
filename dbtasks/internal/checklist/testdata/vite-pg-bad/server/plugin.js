export const api = () => ({
	name: 'api',
	configureServer(server) {
		server.middlewares.use('/api', async (request, response) => {
			const { users } = await server.ssrLoadModule('/server/users.js');
			response.end(JSON.stringify(await users()));
		});
	}
});
